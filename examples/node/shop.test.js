import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startMocksrv } from './mocksrv.js';
import { Shop } from './shop.js';

describe('a shop at Calypso', { concurrency: true }, () => {
  let mocksrv;
  before(async () => { mocksrv = await startMocksrv(); });
  after(() => mocksrv?.stop());

  /** A sandbox of the test's own, and a shop that is subscribed there. */
  async function world(t) {
    const calypso = await mocksrv.sandbox();
    const shop = new Shop(calypso.sims.signedsub);
    t.after(() => shop.stop());
    await shop.start();
    const pay = async (order) => {
      const data = { idempotencyKey: order, amount: 1.5 }; // the rest is made up
      await calypso.post('/events', { sim: 'signedsub', type: 'INVOICE_PAID', data });
      await calypso.post('/clock/advance', { by: '0s' }); // waits for the first attempt
    };
    return { calypso, shop, pay };
  }

  test('survives an outage, because Calypso tries again after 30 s', async (t) => {
    const { calypso, shop, pay } = await world(t);
    shop.available = false;
    await pay('order-1');
    assert.equal(shop.paid.size, 0);

    shop.available = true;
    await calypso.post('/clock/advance', { by: '30s' });
    assert.deepEqual([...shop.paid], [['order-1', 1.5]]);
    const { deliveries: [delivery] } = await calypso.get('/deliveries?sim=signedsub');
    assert.equal(delivery.state, 'delivered', delivery.reason);
    assert.deepEqual(delivery.attempts.map((a) => a.status), [500, 200]);
  });

  test('refuses a forged delivery', async (t) => {
    const { calypso, shop, pay } = await world(t);
    await pay('order-2');
    const { deliveries: [delivery] } = await calypso.get('/deliveries');
    const { request } = delivery.attempts[0]; // what was sent, to the byte
    const headers = Object.entries(request.headers).map(([name, [value]]) => [name, value]);
    const post = async (body) => (await fetch(shop.url, { method: 'POST', headers, body })).status;
    assert.equal(await post(request.body), 200);
    assert.equal(await post(request.body.replace('1.5', '150')), 401);
    assert.deepEqual([...shop.paid], [['order-2', 1.5]]);
  });

  test('is blocked after 101 errors within 10 minutes, and gets everything when it is unblocked', async (t) => {
    const { calypso, shop, pay } = await world(t);
    shop.available = false;
    for (let n = 0; n < 101; n++) await pay(`order-${n}`);
    const subscription = async () => (await calypso.get('/webhooks?sim=signedsub')).webhooks[0];
    assert.equal((await subscription()).state, 'blocked');

    shop.available = true;
    await calypso.post(`/webhooks/${(await subscription()).id}/unblock`, {}); // what one does in Calypso's cabinet
    await calypso.post('/clock/advance', { by: '0s' });
    assert.equal(shop.paid.size, 101);
    assert.equal((await subscription()).state, 'active');
  });

  test('a refused subscription is explained', async (t) => {
    const calypso = await mocksrv.sandbox();
    const { base_url, credentials } = calypso.sims.signedsub;
    const shop = new Shop({ base_url, credentials: { ...credentials, secret: 'wrong' } });
    t.after(() => shop.stop());
    await assert.rejects(shop.start(), { message: 'Calypso refused: 003 Wrong sign' });

    const { exchanges: [exchange] } = await calypso.get('/journal?sim=signedsub&status=401');
    assert.equal(exchange.refusal.rule, 'signature');
    t.diagnostic(JSON.stringify(exchange.refusal)); // what was seen, what would pass, and what the rule rests on
  });
});
