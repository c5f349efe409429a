import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../support/box.ts';
import { createDeployBench, type DeployBench } from '../support/deploy-bench.ts';
import { startDockerDaemon, type DockerDaemon } from '../support/docker-daemon.ts';
import { describeDocker, soon } from '../support/docker.ts';
import { fullSize } from '../support/proof-size.ts';
import { behavingContainer } from '../support/web-releases.ts';
import { expectNothingTwice } from './kill-points.ts';

const watch = {
  ...{ startup_ms: 40_000, stable_ms: 2_500, window_ms: 60_000, period_ms: 100, unhealthy_ms: 1_000 },
  // What fails after its deploy is started again, not rolled back.
  ...{ soak_ms: 0, idle_period_ms: 200, restart: { burst: 5, delay_ms: 100, window_ms: 60_000 } },
};
/** Longer than any look, and than what the watch would call unhealthy. */
const awayMs = 2_000;
/** Until what a dead worker was doing is tried again: its heartbeat is missed for so long, and somewhat longer. */
const whenHeard = 9_000;

describeDocker.each([{ liveRestore: true }, { liveRestore: false }])('SIGKILL of dockerd, %j', ({ liveRestore }) => {
  const made = behavingContainer({ watch });
  let daemon: DockerDaemon;
  let bench: DeployBench;
  let number = 1;

  beforeAll(async () => {
    daemon = await startDockerDaemon({ liveRestore });
    bench = await createDeployBench(made.make, { dockerSocket: daemon.socketPath });
    bench.startWorker();
    await commit();
    expect((await bench.follow(await bench.deploy())).result.outcome).toBe('promoted');
  }, 120_000);
  afterAll(() => bench.close().finally(() => daemon.remove()), 60_000);

  const versions = new Map<string, number>();
  async function commit(): Promise<string> {
    const release_id = await bench.repository.commit({ number, wellForMs: null });
    versions.set(release_id, number++);
    return release_id;
  }
  /** Of what should run now. */
  const version = async () => versions.get((await desired())?.release_id ?? '');

  async function away(
    meanwhile: () => Promise<void> = () => sleep(awayMs),
    how: 'kill' | 'stop' = 'kill',
  ): Promise<void> {
    await daemon[how]();
    await meanwhile().finally(() => daemon.start());
  }

  /** Calls `stroke` so long after the deploy has come to this phase. */
  async function deployThrough(phase: string, afterMs: number, stroke: () => Promise<void>) {
    const id = await bench.deploy();
    const strokes: Promise<void>[] = [];
    const { result } = await bench.follow(id, async (now) => {
      // A worker that comes back may write down its last steps once more.
      if (now === phase && strokes.length === 0) strokes.push(sleep(afterMs).then(stroke));
    });
    await Promise.all(strokes);
    expect(strokes).toHaveLength(1);
    return { id, result };
  }

  async function desired() {
    return (await bench.services.find(bench.service))?.desired;
  }

  async function eventsSince(id: string): Promise<readonly { type: string; data: { reason?: string } }[]> {
    return bench.databases.ops`select type, data from events where id > ${id} order by id`;
  }

  async function lastEvent(): Promise<string> {
    const [row] = await bench.databases.ops<{ id: string }[]>`select coalesce(max(id), 0) as id from events`;
    return row?.id ?? '0';
  }

  // In CI, a Docker that takes its containers down with it is met in the standing watch only.
  if (liveRestore || fullSize) {
    test('D6 in the watch of a deploy: a dockerd that does not answer says nothing against the release', async () => {
      const release_id = await commit();
      const before = await lastEvent();
      const { id, result } = await deployThrough('watch', 1_000, () =>
        away(async () => {
          await sleep(awayMs);
          expect((await eventsSince(before)).filter(({ type }) => type === 'error')).toEqual([]);
          expect((await desired())?.release_id).toBe(release_id);
        }),
      );
      if (liveRestore) {
        expect(result.outcome).toBe('promoted');
        expect(await desired()).toMatchObject({ release_id, state: 'running' });
      } else {
        // Its successor took the container down: that is seen as it is, and put right as after any other death.
        expect(result).toMatchObject({ outcome: 'rolled_back', failure_class: 'watchdog_failure' });
      }
      await expectNothingTwice(bench, id, `Hello from version ${await version()}`);
    }, 120_000);

    test('D10 in the middle of a cut-over: the deploy ends by itself, with one container, each started once', async () => {
      await commit();
      const { id, result } = await deployThrough('cut_over', 100, () => away());
      expect(result).toMatchObject({ outcome: expect.stringMatching(/^(promoted|rolled_back)$/) as string });
      await expectNothingTwice(bench, id, `Hello from version ${await version()}`);
    }, 120_000);
  }

  // Without, there is no container that such a worker could miss.
  if (liveRestore) {
    test('D1 a worker that comes back before Docker does not take one that is away for one without containers', async () => {
      await commit();
      let id = '';
      const fault = { activity: 'stopOthers', nth: 1, when: 'before' } as const;
      const deaths = await bench.dieAt([fault], async () => {
        id = await bench.deploy();
        await until(() => existsSync(join(bench.home, 'faults.json.done')), 30_000);
        // As `systemctl stop docker` does it: also its socket is gone.
        await away(() => sleep(whenHeard), 'stop');
        expect((await bench.follow(id)).result.outcome).toBe('promoted');
      });
      expect(deaths).toHaveLength(1);
      await expectNothingTwice(bench, id, `Hello from version ${await version()}`);
    }, 120_000);
  }

  test('D6 in the standing watch: nothing is reported or restarted for that; what is down afterwards is started again', async () => {
    const before = await lastEvent();
    const instance = (await desired())?.instance;
    await away();
    if (liveRestore) {
      await sleep(2_000);
      expect(await eventsSince(before)).toEqual([]);
      expect(await bench.alive()).toEqual([instance]);
      // It looks on: what dies now is started again.
      const row = await bench.instances.find(instance ?? '');
      if (row === null) throw new Error('no instance');
      await bench.box.drivers.docker.stop(row, soon());
    }
    await until(async () => (await eventsSince(before)).some(({ type }) => type === 'watch.restarted'), 40_000);
    expect(await bench.alive()).toHaveLength(1);
    expect((await desired())?.instance).not.toBe(instance);
    await until(async () => (await bench.page().catch(() => '')).startsWith('Hello from version'), 10_000);
  }, 120_000);
});
