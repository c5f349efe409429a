import type { DeployResult } from '../../domain/deploy/schemas.ts';
import { createDeployBench, type DeployBench } from '../support/deploy-bench.ts';
import { fullSize } from '../support/proof-size.ts';
import type { Behaviour, BehavingService } from '../support/web-releases.ts';

/** Full size: a release that dies after 20 s, watched for longer. CI: the same, ten times as fast. */
const livesForMs = fullSize ? 20_000 : 2_000;
const watch = {
  startup_ms: 10_000,
  stable_ms: fullSize ? 25_000 : 3_000,
  window_ms: fullSize ? 90_000 : 20_000,
  period_ms: 100,
  unhealthy_ms: 1_000,
  max_flaps: 6,
};

type Expected = Pick<DeployResult, 'failure_class' | 'outcome'> & { readonly reason: RegExp };
const back = 'rolled_back';

/** Issue 4, proof 2, for one driver: each broken in its own way (in CI only `inCi`), classed right, and put back. */
export function provesBrokenReleases(
  driver: string,
  service: (watchRules: typeof watch) => BehavingService,
  outOfMemory: RegExp,
  inCi?: readonly Behaviour[],
): void {
  const all: readonly (readonly [Behaviour, Expected])[] = [
    ['exits_at_once', { failure_class: 'deploy_failure', outcome: back, reason: /^process_exited:3$/ }],
    ['never_ready', { failure_class: 'health_failure', outcome: back, reason: /^http_status:503$/ }],
    ['dies', { failure_class: 'watchdog_failure', outcome: back, reason: /^process_exited:7$/ }],
    ['flaps', { failure_class: 'watchdog_failure', outcome: back, reason: /^flapping:7$/ }],
    ['wrong_sha', { failure_class: 'health_failure', outcome: back, reason: /^build_sha_mismatch:f{40}$/ }],
    ['eats_memory', { failure_class: 'watchdog_failure', outcome: back, reason: outOfMemory }],
    ['refuses_schema', { failure_class: 'deploy_failure', outcome: back, reason: /^process_exited:65$/ }],
  ];
  const cases = fullSize ? all : all.filter(([behaviour]) => inCi?.includes(behaviour) ?? true);

  describe(`broken releases, ${driver}`, () => {
    const made = service(watch);
    let bench: DeployBench;
    let good: string;
    let number = 1;

    beforeAll(async () => {
      bench = await createDeployBench(made.make);
      bench.startWorker();
      good = made.release(bench.repository, { number, behaviour: 'good', schema: { schema_version: 1 } });
      expect((await bench.follow(await bench.deploy())).result.outcome).toBe('promoted');
    }, 180_000);
    afterAll(() => bench.close(), 60_000);

    test.each(cases)(
      'D7 D10 a release that %s is classed and ends on the good one',
      async (behaviour, { reason, ...rest }) => {
        const id = made.release(bench.repository, {
          number: (number += 1),
          behaviour,
          livesForMs,
          schema: { schema_version: 1 },
        });
        const { result } = await bench.follow(await bench.deploy());
        expect(result).toMatchObject({ ...rest, deployed_release_id: id, rollback_target_release_id: good });
        expect(result.failure_reason).toMatch(reason);
        expect(result).toMatchObject({
          rollback_performed: true,
          rollback_succeeded: true,
          rollback_target_valid: true,
        });
        expect(await bench.page()).toBe('Hello from version 1');
        expect(await bench.alive()).toHaveLength(1);
      },
      240_000,
    );

    test('D8 what may have changed the data is not rolled back to a release that cannot read it', async () => {
      const broken = { number: (number += 1), behaviour: 'refuses_schema', schema: { schema_version: 2 } } as const;
      made.release(bench.repository, broken);
      // Known before anything changes, so it needs somebody's consent.
      const refused = await bench.follow(await bench.deploy());
      expect(refused.result.outcome).toBe('refused');
      expect(refused.result.failure_reason).toMatch(/rollback_target_schema_incompatible/);
      expect(await bench.page()).toBe('Hello from version 1');

      const { result } = await bench.follow(await bench.deploy({ accept_no_rollback: true }));
      expect(result).toMatchObject({
        outcome: 'rollback_denied',
        failure_class: 'deploy_failure',
        rollback_policy_status: 'denied',
        rollback_policy_reason: 'rollback_target_schema_incompatible',
        rollback_target_valid: false,
        rollback_performed: false,
      });
    }, 120_000);
  });
}
