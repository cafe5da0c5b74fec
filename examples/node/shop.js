// A small app that takes crypto payments through Calypso: it subscribes itself to INVOICE_PAID and keeps what was paid.
// It knows nothing of the simulator.
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const hmac = (secret, body) => createHmac('sha512', secret).update(body).digest();

export class Shop {
  paid = new Map(); // amount, by order
  available = true; // false: the database is down

  /** @param {{base_url: string, credentials: {key: string, secret: string, account: string}}} calypso */
  constructor(calypso) {
    Object.assign(this, calypso);
  }

  /** Starts the HTTP server and subscribes it. */
  async start() {
    this.server = createServer((request, response) => this.receive(request, response));
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}/calypso`;
    const requestId = randomUUID();
    this.channel = await this.call('/api/v1/subscription/webhook/create', {
      requestId, notificationEventTypes: ['INVOICE_PAID'], notificationServiceTypes: [], url: this.url,
    });
  }

  stop() {
    this.server?.close();
    this.server?.closeAllConnections();
  }

  /** Calls Calypso: Sign is the hex HMAC-SHA512 of the exact body, whose timestamp is valid for three minutes. */
  async call(path, payload) {
    const { key, secret, account } = this.credentials;
    const body = JSON.stringify({ account, timestamp: Date.now(), payload });
    const response = await fetch(this.base_url + path, {
      method: 'POST',
      headers: { Key: key, Sign: hmac(secret, body).toString('hex'), 'Content-Type': 'application/json' },
      body,
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`Calypso refused: ${answer.errorCode} ${answer.message}`);
    return answer;
  }

  async receive(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    response.writeHead(this.take(request.headers, Buffer.concat(chunks))).end();
  }

  /** Takes a delivery and returns the status. Only 200 is a success for Calypso: anything else is sent again. */
  take(headers, body) {
    if (!this.genuine(headers, body)) return 401;
    if (!this.available) return 500;
    const invoice = JSON.parse(body);
    this.paid.set(invoice.idempotencyKey, invoice.amount); // the same when it comes twice
    return 200;
  }

  /** A delivery is signed with the keys of the subscription, which are not those of the account. */
  genuine(headers, body) {
    const sign = Buffer.from(headers.sign ?? '', 'hex');
    const want = hmac(this.channel.secretKey, body);
    return headers.key === this.channel.publicKey && sign.length === want.length && timingSafeEqual(sign, want);
  }
}
