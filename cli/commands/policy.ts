import type { Command } from 'commander';
import { leaf, runs, type Context } from '../command.ts';

export function policyCommands(program: Command): void {
  const policy = program.command('policy').description('what is rolled back, who must agree, when nothing is deployed');
  leaf(policy, 'show <service>', 'the policy of a service as a table').action(runs(showPolicy));
  leaf(policy, 'test <service>', 'what would be decided for each class, context and target; does nothing')
    .option('--target <release>', 'judge this target too')
    .option('--next', 'of a failure of the next deploy, not of what runs now')
    .action(runs(testPolicy));
}

async function showPolicy({ api, out }: Context, service: string): Promise<undefined> {
  const { policySchema } = await import('../../domain/deploy/policy-schemas.ts');
  const { deploymentContexts, failureClasses } = await import('../../domain/deploy/words.ts');
  const { table } = await import('../output.ts');
  const shown = await api.get(pathOf(service), policySchema);
  const rows = failureClasses.map((failureClass) => [
    failureClass,
    ...deploymentContexts.map((context) => (shown.rollback_on[failureClass][context] ? 'roll back' : 'leave')),
  ]);
  const { approval, recovery_point_max_age_ms: age } = shown;
  const lines = [
    ['context', shown.deployment_context],
    ['safe mode', shown.safe_mode ? 'on: nothing is done automatically' : 'off'],
    ['executor', shown.has_executor ? 'yes' : 'none: nothing can be rolled back'],
    ['deployed', shown.deployed_release_id ?? 'nothing'],
    ['if it fails', backTo(shown.rollback_target_release_id)],
    ['if the next one fails', backTo(shown.next_rollback_target_release_id)],
    [
      'approval',
      approval.required ? `asked for ${approval.timeout_ms / 1000} s, then ${approval.default}` : 'not asked',
    ],
    ['without a way back', shown.accept_no_rollback ? 'accepted' : 'asks for --accept-no-rollback'],
    ['recovery point', age === null ? 'not asked for' : `no older than ${Math.round(age / 60_000)} minutes`],
    ['free disk', `at least ${shown.least_free_disk_bytes} bytes`],
    ...shown.freeze.map(({ days, from, to, reason }) => ['freeze', `${days?.join(',') ?? ''} ${from}-${to} ${reason}`]),
    ['release ids from', shown.release_sources.join(', ')],
  ];
  out.data(shown, [...table(['failure', ...deploymentContexts], rows), '', ...table(['', ''], lines).slice(1)]);
  return undefined;
}

async function testPolicy(
  { api, out }: Context,
  service: string,
  options: { target?: string; next?: boolean },
): Promise<undefined> {
  const { policyTestSchema } = await import('../../domain/deploy/policy-schemas.ts');
  const { table } = await import('../output.ts');
  const query = new URLSearchParams({ of: options.next === true ? 'next' : 'running' });
  if (options.target !== undefined) query.set('target', options.target);
  const tested = await api.get(`${pathOf(service)}/test?${query.toString()}`, policyTestSchema);
  const rows = tested.cases.map(({ failure_class, deployment_context, target_release_id, decision }) => [
    ...[failure_class, deployment_context, target_release_id?.slice(0, 19) ?? '-'],
    ...[decision.status, decision.reason, decision.action],
  ]);
  out.data(tested, table(['failure', 'context', 'target', 'status', 'reason', 'would'], rows));
  return undefined;
}

function backTo(target: string | null): string {
  return target === null ? 'stopped: there is nothing to go back to' : `back to ${target}`;
}

function pathOf(service: string): string {
  return `/v1/services/${encodeURIComponent(service)}/policy`;
}
