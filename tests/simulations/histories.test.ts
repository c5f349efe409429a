import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decideRollback } from '../../domain/deploy/policy.ts';
import { deployRequestSchema, deployResultSchema, type DeployResult } from '../../domain/deploy/schemas.ts';
import { decideStanding } from '../../domain/deploy/standing-watch.ts';
import { standingOf } from '../../domain/deploy/metadata.ts';
import {
  deploymentContexts,
  failureClasses,
  outcomes,
  policyReasons,
  type FailureClass,
  type Outcome,
} from '../../domain/deploy/words.ts';
import { fullSize } from '../support/proof-size.ts';
import { find, newestFirst, prune, runDeploy, type ModelRelease, type Script, type World } from './deploy-model.ts';
import { createRun, type ModelRun } from './model-run.ts';
import { randomFrom } from './simulated-service.ts';

const seed = Number(process.env['HOLDFAST_PROOF_SEED'] ?? 3_001);
const histories = fullSize ? 1_000 : 200;
const stepsEach = 60;
const hour = 3_600_000;
const restartRules = { burst: 5, delay_ms: 1_000, window_ms: 600_000 };

/** What went against a rule that must hold, and how often each thing happened at all. */
interface Findings {
  readonly broken: string[];
  readonly seen: Record<string, number>;
}

/** One service over sixty things that happen to it. */
function live(random: () => number, { broken, seen }: Findings): void {
  const chance = (share: number) => random() < share;
  const oneOf = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const count = (what: string) => {
    seen[what] = (seen[what] ?? 0) + 1;
  };
  const must = (holds: boolean, what: string, ...facts: unknown[]) => {
    if (!holds) broken.push(`${what}: ${JSON.stringify(facts)}`);
  };
  const version = () => (chance(0.5) ? null : 1 + Math.floor(random() * 3));
  const world: World = {
    releases: [],
    desired: { release_id: null, by: 'candidate', epoch: 0 },
    safe_mode: false,
    rollback_on: matrix(),
    approval: { required: chance(0.3), default: oneOf(['allow', 'deny']) },
    context: chance(0.2) ? 'external' : 'self_hosted',
    has_executor: chance(0.95),
    start_first: chance(0.5),
    keep_releases: 2 + Math.floor(random() * 3),
    now_ms: Date.parse('2026-01-01T00:00:00.000Z'),
  };
  const restarts: number[] = [];
  let born = 0;
  let executed = 0;
  /** What runs was put there by an automatic rollback, and nobody has deployed since. */
  let putBackAutomatically = false;

  function matrix(): World['rollback_on'] {
    const row = () => ({ self_hosted: chance(0.85), external: chance(0.85) });
    return { deploy_failure: row(), watchdog_failure: row(), health_failure: row() };
  }

  function newRelease(): ModelRelease {
    born += 1;
    const [schema_version, schema_reads_to] = [version(), version()];
    return {
      ...{ release_id: `r${born}`, standing: 'built', bits: 'ok', schema_version, schema_reads_to },
      ...{ built_at: world.now_ms, promoted_at: null },
    };
  }

  /** Any release there is, some that never was. */
  const names = () => oneOf([...world.releases.map(({ release_id }) => release_id), 'r-unknown']);

  function script(watch: Script['watch']): Script {
    const sometimes = <T>(share: number, value: () => T) => (chance(share) ? value() : undefined);
    const isBack = watch === null && chance(0.15);
    const policy_override = sometimes(0.1, () => {
      const action = oneOf(['allow', 'deny', 'choose_target'] as const);
      const expires_at = new Date(world.now_ms + (random() - 0.1) * hour).toISOString();
      return { action, reason: 'because', expires_at, ...(action === 'choose_target' ? { target: names() } : {}) };
    });
    return {
      request: deployRequestSchema.parse({
        kind: isBack || watch !== null ? 'rollback' : 'deploy',
        ...(watch !== null
          ? {}
          : {
              requested_release_id: isBack ? sometimes(0.5, names) : undefined,
              previous_release_id: sometimes(0.1, names),
              rollback_release_id: sometimes(0.2, names),
              deployment_context: sometimes(0.1, () => oneOf(deploymentContexts)),
              ...Object.fromEntries(
                failureClasses.map((each) => [`rollback_on_${each}`, sometimes(0.1, () => chance(0.5))]),
              ),
              policy_override,
              accept_no_rollback: chance(0.8),
            }),
      }),
      wanted: chance(0.15) ? (find(world, names()) ?? newRelease()) : newRelease(),
      refused: chance(0.05) ? oneOf(['guard', 'build'] as const) : null,
      fails: chance(0.4) ? { phase: oneOf(['watch', 'traffic_watch']), failure_class: oneOf(failureClasses) } : null,
      degraded: chance(0.05),
      rollbackSucceeds: chance(0.9),
      runtimeSays: sometimes(0.2, names) ?? null,
      watch,
    };
  }

  function checkExecuted(
    target: string,
    deployed: string,
    failure_class: FailureClass | null,
    run: ModelRun,
    asked: Script,
  ): void {
    const [to, from] = [find(world, target), find(world, deployed)];
    // Judged again from what was accepted, without the rules of domain/.
    const liveNow = run.accepted.filter(({ expires_at }) => Date.parse(expires_at) > world.now_ms);
    const said = liveNow.findLast(({ action }) => ['allow', 'deny', 'choose_target'].includes(action));
    const allowed = said !== undefined && said.action !== 'deny';
    const reads = to?.schema_reads_to ?? to?.schema_version ?? Infinity;
    const context = asked.request.deployment_context ?? world.context;
    const enabled =
      failure_class === null ||
      (asked.request[`rollback_on_${failure_class}`] ?? world.rollback_on[failure_class][context]);
    must(said?.action !== 'deny', 'denied is never executed', said);
    must(enabled || allowed, 'a class that is off is not rolled back', failure_class, said);
    must(!world.safe_mode, 'nothing in safe mode', target);
    must(world.has_executor, 'an executor', target);
    must(target !== deployed, 'another release than was deployed', target);
    must(to?.bits === 'ok', 'the bits of the target are there', to);
    must(
      to?.standing === 'good' || (to?.standing === 'known_bad' && allowed && said.force),
      'the target was good',
      to,
      said,
    );
    must(reads >= (from?.schema_version ?? -Infinity), 'the target reads the schema', to, from);
    const named = asked.request.rollback_release_id ?? asked.request.previous_release_id;
    const chosen = liveNow.some(({ action }) => action === 'choose_target');
    must(context !== 'external' || named !== undefined || chosen, 'external: a target that somebody named', target);
  }

  function checkPruned(
    pruned: readonly string[],
    pinned: readonly (string | null | undefined)[],
    before: ModelRelease[],
  ): void {
    if (pruned.length > 0) count('pruned');
    must(world.context !== 'external' || pruned.length === 0, 'nothing of an external service is pruned', pruned);
    const running = world.desired.release_id;
    const back = before.find(({ standing, release_id }) => standing === 'good' && release_id !== running);
    for (const id of [...pinned, running, back?.release_id]) {
      must(id == null || !pruned.includes(id), 'what is pinned is never pruned', id, pruned);
    }
  }

  function deploy(watch: Script['watch']): void {
    const asked = script(watch);
    const run = createRun(world, random, names);
    const before = { executed, putBackAutomatically, desired: world.desired, releases: newestFirst(world) };
    const result = runDeploy(world, asked, run, {
      executed({ target, deployed, failure_class }) {
        executed += 1;
        checkExecuted(target, deployed, failure_class, run, asked);
      },
      pruned(releases, { rollback_target_release_id, previous_release_id, deployed_release_id }) {
        const pinned = [rollback_target_release_id, previous_release_id, deployed_release_id];
        checkPruned(releases, pinned, newestFirst(world));
      },
    });
    const rollbacks = executed - before.executed;
    must(rollbacks <= 1, 'at most one automatic rollback a deploy', result);
    must(watch === null || !before.putBackAutomatically || rollbacks === 0, 'no watch rolls a rollback back', result);
    must(rollbacks === (result.rollback_performed ? 1 : 0), 'what was performed is what is said', result);
    checkResult(result, before.desired);
    putBackAutomatically = rollbacks === 1 || (putBackAutomatically && world.desired.epoch === before.desired.epoch);
    count(`outcome ${result.outcome}`);
    if (result.rollback_policy_reason !== null) count(`reason ${result.rollback_policy_reason}`);
    for (const { action } of run.accepted) count(`override ${action}`);
  }

  function checkResult(result: DeployResult, before: World['desired']): void {
    must(
      deployResultSchema.safeParse(result).success && result.outcome !== null,
      'every deploy ends in an outcome',
      result,
    );
    const { rollback_policy_status: status, outcome } = result;
    must(
      result.rollback_succeeded === null || result.rollback_performed,
      'not succeeded without being performed',
      result,
    );
    must(status === 'allowed' || !result.rollback_performed, 'performed only when allowed', result);
    const untouched: readonly (Outcome | null)[] = ['refused', 'discarded'];
    if (untouched.includes(outcome)) {
      must(status === 'not_evaluated' && world.desired.epoch === before.epoch, 'nothing was touched', result);
    }
    if (outcome === 'rolled_back')
      must(world.desired.release_id === result.rollback_target_release_id, 'what runs is the target', result);
    if (outcome === 'rollback_failed') must(world.safe_mode, 'a failed rollback sets safe mode', result);
    if (outcome === 'rollback_denied')
      must(world.desired.release_id === result.deployed_release_id, 'denied changes nothing', result);
  }

  /** workflows/watch-service.ts and activities/watch.ts: what the standing watch does about what it found. */
  function somethingIsWrong(): void {
    const { release_id, by, epoch } = world.desired;
    const running = find(world, release_id);
    if (release_id === null || running === undefined) return;
    const [finding, failure_class] = oneOf([
      ['exited', 'watchdog_failure'],
      ['not_alive', 'watchdog_failure'],
      ['unhealthy', 'health_failure'],
      ['drifted', 'health_failure'],
    ] as const);
    const releases = newestFirst(world);
    const target = releases.find((each) => each.standing === 'good' && each.release_id !== release_id);
    const { safe_mode, has_executor, context: deployment_context, now_ms } = world;
    const decision = decideStanding({
      ...{ finding, deployment_context, safe_mode, now_ms, restarts_ms: restarts, restart: restartRules },
      young: running.promoted_at !== null && now_ms < running.promoted_at + hour,
      dependency_down: chance(0.1),
      rebooted: chance(0.1),
      rollback: decideRollback({
        ...{
          failure_class,
          deployment_context,
          safe_mode,
          has_executor,
          override: null,
          deployed_release_id: release_id,
        },
        automatic_rollback_used: by === 'rollback',
        enabled: world.rollback_on[failure_class][deployment_context],
        target:
          target === undefined
            ? null
            : {
                release_id: target.release_id,
                standing: standingOf(target.release_id, releases, { deployed: running }),
              },
      }),
    });
    count(`watch ${decision.action}`);
    const touches = decision.action === 'roll_back' || decision.action === 'restart';
    must(!touches || (deployment_context !== 'external' && !safe_mode), 'the watch touches only what it may', decision);
    must(
      decision.action !== 'restart' || finding === 'exited' || finding === 'not_alive',
      'readiness restarts nothing',
    );
    must(decision.action !== 'roll_back' || !putBackAutomatically, 'no watch hands a rollback over again');
    if (decision.action === 'roll_back') deploy({ epoch: chance(0.9) ? epoch : epoch - 1, failure_class });
    if (decision.action !== 'restart') return;
    restarts.push(now_ms);
    const inWindow = restarts.filter((at) => at > now_ms - restartRules.window_ms);
    must(inWindow.length <= restartRules.burst, 'the breaker holds', inWindow);
    world.desired = { ...world.desired, epoch: world.desired.epoch + 1 };
  }

  const happenings: readonly (readonly [weight: number, happens: () => void])[] = [
    [10, () => deploy(null)],
    [6, somethingIsWrong],
    // Also a verdict of which nobody knows how old it is.
    [1, () => deploy({ epoch: world.desired.epoch, failure_class: oneOf(failureClasses) })],
    [2, () => checkPruned(prune(world, [world.desired.release_id]), [], newestFirst(world))],
    [2, () => void (world.safe_mode = false)],
    [0.3, () => void (world.safe_mode = true)],
    [1, () => void (world.rollback_on = matrix())],
    [0.5, () => void (world.desired = { release_id: null, by: 'candidate', epoch: world.desired.epoch + 1 })],
    [0.5, () => void (world.start_first = !world.start_first)],
    [0.5, () => void (world.keep_releases = 2 + Math.floor(random() * 3))],
  ];
  const total = happenings.reduce((sum, [weight]) => sum + weight, 0);

  for (let step = 0; step < stepsEach; step += 1) {
    world.now_ms += Math.floor(random() * (chance(0.3) ? 4 * hour : hour / 60));
    let left = random() * total;
    const [, happens] = happenings.find(([weight]) => (left -= weight) < 0) ?? happenings[0] ?? [];
    happens?.();
  }
}

describe(`proof 3: ${histories} random histories of ${stepsEach} steps (seed ${seed})`, () => {
  const findings: Findings = { broken: [], seen: {} };

  beforeAll(() => {
    const random = randomFrom(seed);
    for (let i = 0; i < histories; i += 1) live(random, findings);
    const folder = join(__dirname, '../../.cache');
    mkdirSync(folder, { recursive: true });
    const figures = { seed, histories, stepsEach, ...findings };
    writeFileSync(join(folder, `histories-${fullSize ? 'full' : 'ci'}.json`), `${JSON.stringify(figures, null, 2)}\n`);
  });

  test('D8, D9, D10 one automatic rollback a deploy at most, no loop, pins hold, denied is never executed, targets are fit', () => {
    expect(findings.broken.slice(0, 5)).toEqual([]);
  });

  test('every outcome, reason, override and answer of the watch occurred, so that the proof is of something', () => {
    const all = [
      ...outcomes.map((each) => `outcome ${each}`),
      ...policyReasons.map((each) => `reason ${each}`),
      ...['allow', 'deny', 'choose_target', 'extend_window', 'abort'].map((each) => `override ${each}`),
      ...['roll_back', 'restart', 'wait', 'report'].map((each) => `watch ${each}`),
      'pruned',
    ];
    expect(all.filter((each) => (findings.seen[each] ?? 0) === 0)).toEqual([]);
  });
});
