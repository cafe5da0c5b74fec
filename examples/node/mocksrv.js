// Starts one mocksrv for a test file, and gives each test a sandbox of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Starts the server on a free port. Its first line says where: "mocksrv ready at http://127.0.0.1:39041". */
export async function startMocksrv() {
  const binary = process.env.MOCKSRV_BIN ?? 'mocksrv';
  const flags = ['--listen', '127.0.0.1:0', '--quiet', '--log-level', 'warn'];
  const child = spawn(binary, ['serve', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await Promise.race([
    once(createInterface(child.stdout), 'line'),
    once(child, 'exit').then(([code]) => { throw new Error(`${binary} ended with ${code}`); }),
  ]);
  const base = line.replace('mocksrv ready at ', '');
  return {
    sandbox: async () => {
      const made = await json(`${base}/_mocksrv/v1/sandboxes`, { clock: '2026-01-08T09:00:00Z' });
      return new Sandbox(base, made);
    },
    stop: async () => {
      child.kill();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

/** One sandbox: its own state, credentials, clock and journal. */
class Sandbox {
  constructor(base, { name, sims }) {
    this.url = `${base}/_mocksrv/v1/sandboxes/${name}`;
    this.sims = sims;
  }
  get(path) { return json(this.url + path); }
  post(path, body) { return json(this.url + path, body); }
}

async function json(url, body) {
  const response = await fetch(url, body && {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${url}: ${answer.title}: ${answer.detail}`);
  return answer;
}
