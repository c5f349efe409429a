import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { watchRestarts } from '../../../adapters/qdrant/restarts.ts';
import { startEmbeddedQdrant } from '../../support/embedded-qdrant.ts';

test('G9 a Qdrant that was restarted is noticed once, and one that stays is not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-restarts-'));
  const stopping = new AbortController();
  let restarts = 0;
  try {
    const first = await startEmbeddedQdrant(folder);
    const { server } = first;
    const watching = watchRestarts(server, async () => void (restarts += 1), { signal: stopping.signal, everyMs: 50 });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(restarts).toBe(0);
    await first.kill();
    const second = await startEmbeddedQdrant(folder, Number(new URL(server.url).port));
    for (let look = 0; look < 200 && restarts === 0; look += 1) await new Promise((resolve) => setTimeout(resolve, 50));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(restarts).toBe(1);
    stopping.abort();
    await watching;
    await second.stop();
  } finally {
    stopping.abort();
    rmSync(folder, { recursive: true, force: true });
  }
});
