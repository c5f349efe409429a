import { InvalidArgumentError, Option, type Command } from 'commander';
import { duration, leaf, number, runs, waitOptions, waits, type Context } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { overrideCommand } from './override.ts';

interface DeployOptions {
  readonly ref?: string;
  readonly release?: string;
  readonly kind: 'deploy' | 'rollback';
  readonly previous?: string;
  readonly rollbackTo?: string;
  readonly context?: string;
  readonly rollbackOn: Readonly<Record<string, boolean>>;
  readonly allowRollback?: boolean;
  readonly denyRollback?: boolean;
  readonly reason?: string;
  readonly acceptNoRollback?: boolean;
  readonly idempotencyKey?: string;
  readonly wait?: boolean;
  readonly detach?: boolean;
  readonly timeout?: number;
  readonly dryRun?: boolean;
}

const classes = ['deploy_failure', 'watchdog_failure', 'health_failure'];

export function deployCommands(program: Command): void {
  const deploy = leaf(program, 'deploy <service>', 'builds a release, starts it, watches it; keeps it or puts it back');
  waitOptions(deploy)
    .option('--ref <ref>', 'branch, tag or commit; default: that of the service')
    .option('--release <id>', "a full commit id, an image, or the operator's own name of a release")
    .addOption(
      new Option('--kind <kind>', 'a rollback goes to a release that was good')
        .choices(['deploy', 'rollback'])
        .default('deploy'),
    )
    .option('--previous <id>', 'what counts as the release before this one')
    .option('--rollback-to <id>', 'where to go back to if it fails')
    .addOption(new Option('--context <context>', 'for this deploy').choices(['self_hosted', 'external']))
    .addOption(
      new Option('--no-rollback-on <class>', `do not roll back a ${classes.join(' or ')}; may be repeated`)
        .default({}, 'as the service says')
        .argParser(refuseClass),
    )
    .addOption(
      new Option('--allow-rollback', 'roll a failure back also where the service says not to').conflicts(
        'denyRollback',
      ),
    )
    .option('--deny-rollback', 'leave a failure as it is')
    .option('--reason <text>', 'with --allow-rollback and --deny-rollback: why')
    .option('--accept-no-rollback', 'deploy although a failure could not be rolled back')
    .option('--idempotency-key <key>', 'the same key is the same deploy, for ever')
    .option('--dry-run', 'show what would be asked, and of what; start nothing')
    .action(runs((context, service: string, options: DeployOptions) => startDeploy(context, service, options)));

  const deploys = program.command('deploys').description('deploys that were, and that go on');
  leaf(deploys, 'list <service>', 'newest first')
    .option('--after <cursor>', 'go on behind this page: its next_cursor')
    .option('--limit <n>', 'how many at the most', number(1, 200), 50)
    .action(runs(listDeploys));
  overrideCommand(deploys);
  leaf(deploys, 'show <id>', 'one deploy with its evidence')
    .option('--follow', 'until it is closed')
    .option('--timeout <time>', 'with --follow: leave after 90s, 10m or 1h', duration)
    .action(
      runs(async (context, id: string, options: { follow?: boolean; timeout?: number }) => {
        if (options.follow === true) {
          const { follow } = await import('../follow.ts');
          return follow(context, id, options.timeout ?? null);
        }
        const { deploySchema } = await import('../../domain/deploy/schemas.ts');
        const deploy = await context.api.get(`/v1/deploys/${encodeURIComponent(id)}`, deploySchema);
        const evidence = deploy.evidence.map(
          ({ ok, phase, check, reason }) => `  ${ok ? '✓' : '✗'} ${phase}  ${check}: ${reason}`,
        );
        const result = Object.entries(deploy.result).map(([name, value]) => `  ${name.padEnd(27)} ${shown(value)}`);
        const said = deploy.overrides.map(
          ({ action, actor, accepted, refusal, reason }) =>
            `  ${accepted === true ? '✓' : '✗'} override ${action} by ${actor}: ${refusal ?? reason}`,
        );
        context.out.data(deploy, [
          `${deploy.service} ${deploy.kind} ${deploy.id}: ${deploy.phase}`,
          ...result,
          ...evidence,
          ...said,
        ]);
        return undefined;
      }),
    );
}

async function listDeploys(
  { api, out }: Context,
  service: string,
  { after, limit }: { after?: string; limit: number },
): Promise<undefined> {
  const { pageOf } = await import('../../domain/answer.ts');
  const { deploySchema } = await import('../../domain/deploy/schemas.ts');
  const { table } = await import('../output.ts');
  const query = new URLSearchParams({ limit: String(limit), ...(after === undefined ? {} : { cursor: after }) });
  const page = await api.get(`${pathOf(service)}?${query.toString()}`, pageOf(deploySchema, 'DeployPage'));
  const rows = page.items.map(({ id, kind, requested_at, phase, result, run_url }) => [
    ...[id, kind, requested_at, result.outcome ?? phase],
    ...[result.failure_reason ?? '-', run_url ?? '-'],
  ]);
  const more = page.next_cursor === null ? [] : [`more: holdfast deploys list ${service} --after ${page.next_cursor}`];
  out.data(page, [...table(['deploy', 'kind', 'requested', 'outcome', 'reason', 'run'], rows), ...more]);
  return undefined;
}

async function startDeploy(context: Context, service: string, options: DeployOptions): Promise<ExitCode | undefined> {
  const { api, out } = context;
  const { deployRequestSchema, deploySchema } = await import('../../domain/deploy/schemas.ts');
  const { comeBack, follow } = await import('../follow.ts');
  const { CliError, usageError } = await import('../cli-error.ts');
  const request = deployRequestSchema.safeParse(requestOf(options));
  if (!request.success)
    throw usageError(request.error.issues.map(({ path, message }) => [...path, message].join(': ')).join('; '));

  if (options.dryRun === true) {
    const { serviceSchema } = await import('../../domain/service.ts');
    const shown = await api.get(`/v1/services/${encodeURIComponent(service)}`, serviceSchema);
    const running = `${service} should be ${shown.desired.state}, release ${shown.desired.release_id ?? 'none'}`;
    out.data({ request: request.data, service: shown }, [running, `would ask for: ${JSON.stringify(request.data)}`]);
    return undefined;
  }
  const { randomUUID } = await import('node:crypto');
  const key = options.idempotencyKey ?? randomUUID();
  const deploy = await api.post(pathOf(service), request.data, deploySchema, key).catch((error: unknown) => {
    if (!(error instanceof CliError) || !error.lost) throw error;
    // It may have been started all the same; under its key it cannot start twice.
    const again = `${error.next ?? 'holdfast doctor'}; then the same command with --idempotency-key ${key}`;
    throw new CliError(error.message, error.exitCode, again);
  });
  if (waits(out.interactive, options)) return follow(context, deploy.id, options.timeout ?? null);
  out.data(deploy, [deploy.id]);
  out.message(`next: ${comeBack(deploy.id)}`);
  return undefined;
}

function requestOf(options: DeployOptions): Record<string, unknown> {
  const given = {
    kind: options.kind,
    ref: options.ref,
    requested_release_id: options.release,
    previous_release_id: options.previous,
    rollback_release_id: options.rollbackTo,
    deployment_context: options.context,
    policy_override: overrideOf(options),
    accept_no_rollback: options.acceptNoRollback,
    ...options.rollbackOn,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** It counts for this deploy, so it need not expire before that is over. */
function overrideOf({ allowRollback, denyRollback, reason }: DeployOptions): object | undefined {
  if (allowRollback !== true && denyRollback !== true) return undefined;
  const expires_at = new Date(Date.now() + 24 * 3_600_000).toISOString();
  return { action: allowRollback === true ? 'allow' : 'deny', reason: reason ?? '', expires_at };
}

function refuseClass(value: string, before: Readonly<Record<string, boolean>> = {}): Record<string, boolean> {
  if (!classes.includes(value)) throw new InvalidArgumentError(`one of ${classes.join(', ')}`);
  return { ...before, [`rollback_on_${value}`]: false };
}

function pathOf(service: string): string {
  return `/v1/services/${encodeURIComponent(service)}/deploys`;
}

function shown(value: unknown): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}
