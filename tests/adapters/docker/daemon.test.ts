import getPort from 'get-port';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isNativeError } from 'node:util/types';
import { isPermanentFailure } from '../../../domain/failures.ts';
import { until } from '../../support/box.ts';
import { startDockerDaemon, type DockerDaemon } from '../../support/docker-daemon.ts';
import { describeDocker, makeDockerBox, soon, type DockerBox } from '../../support/docker.ts';

jest.setTimeout(120_000);

describeDocker.each([{ liveRestore: false }, { liveRestore: true }])(
  'D1 dockerd is restarted, %j',
  ({ liveRestore }) => {
    let daemon: DockerDaemon;
    let box: DockerBox;
    beforeAll(async () => {
      daemon = await startDockerDaemon({ liveRestore });
      box = await makeDockerBox({ socketPath: daemon.socketPath });
    });
    afterAll(async () => {
      await box.close().finally(() => daemon.remove());
    });

    const script = 'n=0; while true; do n=$((n + 1)); echo line $n; sleep 0.05; done';

    test.each(['stop', 'kill'] as const)(
      'by %s: what is true is said, nothing is started a second time',
      async (how) => {
        const instance = await box.run(script, { run: { stop_timeout_ms: 1_000 } });
        await until(async () => ((await box.driver.logs?.tail(instance, 3))?.lines.length ?? 0) === 3);
        const before = await box.driver.inspect(instance);
        const page = await box.driver.logs?.read(instance, null, 1_000);

        await daemon[how]();
        await expect(box.driver.inspect(instance)).rejects.toThrow('Docker does not answer');
        await expect(box.driver.start(instance, soon())).rejects.toThrow('Docker does not answer');
        await expect(box.driver.alive(box.service)).rejects.toThrow('Docker does not answer');
        await daemon.start();

        const after = await box.driver.inspect(instance);
        const { container_id, started_at } = before;
        expect(after).toMatchObject({
          exists: true,
          running: liveRestore,
          container_id,
          started_at,
          oom_killed: false,
        });
        expect(after.pid).toBe(liveRestore ? before.pid : null);
        expect(after.exit_code === null).toBe(liveRestore);
        expect(await box.driver.start(instance, soon())).toMatchObject({ running: liveRestore, container_id });
        expect(await box.driver.alive(box.service)).toEqual(liveRestore ? [instance.instance] : []);

        // The log goes on where it was, without a hole that is not told.
        const rest = await box.driver.logs?.read(instance, page?.next ?? null, 1_000_000);
        const numbers = [...(page?.lines ?? []), ...(rest?.lines ?? [])].map((line) => Number(line.slice(5)));
        expect(rest?.truncated).toBe(false);
        expect(numbers).toEqual(numbers.map((_, i) => i + 1));
        expect(await box.driver.stop(instance, soon())).toMatchObject({ running: false });
        await box.driver.pruneInstances(box.service, []);
      },
    );

    test.each([liveRestore ? 220 : 100])(
      'killed %d ms into a start: the next attempt ends it, and the program is started once',
      async (ms) => {
        const counted = join(box.root, `starts-${ms}`);
        mkdirSync(counted);
        const port = await getPort();
        const release_id = box.commit([]);
        const spec = box.spec({
          run: { argv: ['sh', '-c', 'echo started >> /counted/starts; exec sleep 1000'], stop_timeout_ms: 1_000 },
          container: {
            ports: [{ container: 8080, host: port }],
            binds: [{ source: counted, target: '/counted' }],
          },
        });
        const instance = box.instance(spec, { release_id, digest: await box.build(release_id) });
        const first = box.driver.start(instance, soon()).catch(() => null);
        await sleep(ms);
        await daemon.kill();
        await first;
        await daemon.start();

        const next: unknown = await box.driver.start(instance, soon()).catch((error: unknown) => error);
        if (isNativeError(next)) {
          // Docker's own loss of a port: not the service's fault, and over with Docker's next start.
          expect(isPermanentFailure(next)).toBe(false);
          expect(next.message).toContain('restart Docker');
          await daemon.stop();
          await daemon.start();
          await box.driver.start(instance, soon());
        }
        const starts = () => readFileSync(join(counted, 'starts'), 'utf8');
        await until(() => existsSync(join(counted, 'starts')));
        const state = await box.driver.start(instance, soon());
        // Without live-restore the successor ends what had come up already.
        expect(state.running || (!liveRestore && state.exit_code !== null)).toBe(true);
        expect(starts()).toBe('started\n');
        await box.driver.stop(instance, soon());
        await box.driver.pruneInstances(box.service, []);
      },
    );
  },
);
