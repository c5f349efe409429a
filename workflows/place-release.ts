import { CancellationScope } from '@temporalio/workflow';
import type { Placed } from '../activities/deploy.ts';
import type { InstanceRole } from '../domain/deploy/instance.ts';
import type { WatchRules } from '../domain/deploy/watch.ts';
import type { Phase } from '../domain/deploy/words.ts';
import type { DeployRun } from './deploy-run.ts';
import { onBox, operations, switchOn } from './proxies.ts';
import { watchInstance, type LookFor, type WatchEnd } from './watch-instance.ts';

/** Writes down a start before it happens. */
export function place(run: DeployRun, release_id: string, role: InstanceRole): Promise<Placed> {
  const { input, run_id, lock_token } = run;
  const { service, deploy_id } = input;
  const instance = `${deploy_id}.${role}`;
  return onBox(input.box).placeInstance({ service, deploy_id, run_id, lock_token, instance, release_id, role });
}

/** Changed before anything is touched, so that whoever looks in the middle knows where this is going. */
export async function desire(run: DeployRun, release_id: string | null, instance: string | null): Promise<void> {
  const state = instance === null ? 'stopped' : 'running';
  // Either nothing has changed yet, or it is known that it has: a cancellation must not leave that open.
  run.epoch = await CancellationScope.nonCancellable(() =>
    operations.setDesired(run.input.service, run.epoch, { release_id, state, instance }),
  );
}

/** Started beside what runs; nobody is sent there yet. */
export async function startBeside(run: DeployRun, placed: Placed, check: string): Promise<void> {
  const started = await onBox(run.input.box).startInstance({ ...rightOf(run), instance: placed.instance });
  await run.journal.check(check, true, placed.cut_over, { port: placed.port, ...started });
}

/** In the place of everything else: the old one is down before the new one starts. */
export async function startInstead(
  run: DeployRun,
  placed: Placed,
  check: string,
  before: string | null,
): Promise<void> {
  const box = onBox(run.input.box);
  const { instance, port, cut_over } = placed;
  const stopped = await box.stopOthers({ ...rightOf(run), keep: [instance] });
  // A switch of the specification before would hold the port that this one listens on.
  if (port === null && before !== null)
    await switchOn(run.input.box).removeSwitch({ ...rightOf(run), instance: before });
  const started = await box.startInstance({ ...rightOf(run), instance });
  const { switched } =
    port === null ? { switched: false } : await switchOn(run.input.box).pointTraffic({ ...rightOf(run), instance });
  await run.journal.check(check, true, cut_over, { stopped, port, switched, ...started });
}

/** New requests go to this instance from here on. */
export async function pointTraffic(run: DeployRun, { instance, port }: Placed, check: string): Promise<void> {
  await switchOn(run.input.box).pointTraffic({ ...rightOf(run), instance });
  await run.journal.check(check, true, 'start_first', { port });
}

/** What the old instance still has under way may end; then it is taken down. */
export async function retireOthers(run: DeployRun, { instance }: Placed, check: string): Promise<void> {
  const box = onBox(run.input.box);
  const { cut } = await box.drainTraffic(instance);
  const stopped = await box.stopOthers({ ...rightOf(run), keep: [instance] });
  await run.journal.check(check, true, 'drained', { cut, stopped });
}

/** Rows D6, D2 and D15: it stays good, and it is what was asked for. Both are evidence. */
export async function prove(
  run: DeployRun,
  placed: Placed,
  { phase, rules, ...look }: { readonly phase: Phase; readonly rules: WatchRules } & LookFor,
): Promise<WatchEnd> {
  const { input, journal, overrides } = run;
  await journal.enter(phase);
  const extended = (): WatchRules => {
    const { extend_ms } = overrides.now();
    return { ...rules, startup_ms: rules.startup_ms + extend_ms, window_ms: rules.window_ms + extend_ms };
  };
  const end = await watchInstance(input.box, placed, look, extended, (progress) => journal.show(progress));
  journal.hold(`${phase}.health`, end.good, end.reason, end.seen);
  if (!end.good) {
    await journal.flush();
    return end;
  }
  const checks = await onBox(input.box).checkIdentity(placed.instance);
  for (const { check, ok, reason } of checks) journal.hold(`${phase}.identity.${check}`, ok, reason);
  await journal.flush();
  const wrong = checks.filter(({ ok }) => !ok);
  if (wrong.length === 0) return end;
  const reason = `identity: ${wrong.map(({ check, reason: why }) => `${check} ${why}`).join('; ')}`;
  return { good: false, failure_class: 'health_failure', reason, seen: { checks }, running: true };
}

export function rightOf({ input, lock_token }: DeployRun): { readonly service: string; readonly lock_token: string } {
  return { service: input.service, lock_token };
}
