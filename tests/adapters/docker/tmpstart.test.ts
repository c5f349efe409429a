import getPort from 'get-port';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDockerDaemon } from '../../support/docker-daemon.ts';
import { makeDockerBox, soon } from '../../support/docker.ts';
jest.setTimeout(500_000);
test.each([true, false])('x %s', async (liveRestore) => {
  const daemon = await startDockerDaemon({ liveRestore });
  const box = await makeDockerBox({ socketPath: daemon.socketPath });
  const release_id = box.commit([]);
  const release = { release_id, digest: await box.build(release_id) };
  const port = await getPort();
  for (const ms of [20, 60, 100, 140, 180, 220, 260, 300, 350]) {
    const spec = box.spec({ container: { ports: [{ container: 8080, host: port }] }, run: { argv: ['sh', '-c', 'echo hi; exec sleep 1000'], stop_timeout_ms: 1000 } });
    const instance = box.instance(spec, release);
    const first = box.driver.start(instance, soon()).then((s) => `ok ${s.running}`, (e) => String(e.message));
    await sleep(ms);
    await daemon.kill();
    const a = await first;
    await daemon.start();
    const at = Date.now();
    const before = JSON.stringify(await box.driver.inspect(instance).catch(String));
    const b = await box.driver.start(instance, soon()).then((s) => `${s.running} exit ${s.exit_code}`, (e) => String(e.message));
    const logs = (await box.driver.logs?.tail(instance, 10))?.lines;
    process.stdout.write(`${liveRestore} ${ms}: ${a} / ${b} ${Date.now() - at} ms ${before} ${JSON.stringify(logs)}\n`);
    await box.driver.stop(instance, soon());
    await box.driver.pruneInstances(box.service, []);
  }
  await box.close().finally(() => daemon.remove());
});
