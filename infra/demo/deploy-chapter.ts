import getPort from 'get-port';
import { join } from 'node:path';
import { deploySchema, type Deploy } from '../../domain/deploy/schemas.ts';
import type { ServiceSpecInput } from '../../domain/service.ts';
import { mustBe, type Chapter, type Stage } from './chapter.ts';
import { createWebRepository } from './web-service.ts';

const service = 'demo-web';

/** A good release is promoted; a bad one is noticed, decided about, and rolled back. */
export const deployChapter: Chapter = async (stage) => {
  const { holdfast, tell } = stage;
  const repository = join(stage.folder, 'web');
  const { commit } = await createWebRepository(repository);
  const port = await getPort();
  await register(stage, repository, port);

  const good = await commit({ number: 1, wellForMs: null });
  tell(`\nVersion 1 (${good.slice(0, 8)}) is well. It is deployed, watched, and kept:`);
  const promoted = await deploy(stage);
  mustBe('the outcome of version 1', promoted.result.outcome, 'promoted');
  mustBe('what answers', await page(port), 'Hello from version 1');

  const bad = await commit({ number: 2, wellForMs: 2_000 });
  tell(`\nVersion 2 (${bad.slice(0, 8)}) fails two seconds after it came up. It is deployed, and put back:`);
  const rolledBack = await deploy(stage);
  const { result } = rolledBack;
  mustBe('the outcome of version 2', result.outcome, 'rolled_back');
  mustBe('the class of its failure', result.failure_class, 'health_failure');
  mustBe('where it was rolled back to', result.rollback_target_release_id, good);
  mustBe('what answers', await page(port), 'Hello from version 1');
  mustBe('the build that answers', await reportedBuild(port), good);

  await holdfast(['service', 'stop', service, '--wait', `--confirm=${service}`]);
  return [
    { what: `a release that stayed well was promoted (${good.slice(0, 8)})`, link: promoted.run_url },
    {
      what: `a release that turned bad was rolled back: ${String(result.failure_reason)} is a ${String(result.failure_class)}, ${String(result.rollback_policy_reason)}`,
      link: rolledBack.run_url,
    },
    { what: `after the rollback the service answered as ${good.slice(0, 8)}, and said so itself`, link: null },
  ];
};

/** Also after a demo that was interrupted: a run that is still going is waited for, an old safe mode is lifted. */
async function register({ holdfast }: Stage, repository: string, port: number): Promise<void> {
  const spec: ServiceSpecInput = {
    source: { git: repository, ref: 'main' },
    run: { argv: [process.execPath, 'server.mjs'], env: { PORT: String(port) } },
    probes: { http: { url: `http://127.0.0.1:${port}/health` } },
    watch: { startup_ms: 10_000, stable_ms: 4_000, window_ms: 30_000, period_ms: 250, unhealthy_ms: 2_000 },
  };
  const registered = await holdfast(['service', 'register', service, '--file', '-'], { input: JSON.stringify(spec) });
  if (registered.exitCode !== 0) throw new Error(`the service could not be registered: ${registered.message}`);
  const shown = (await holdfast(['service', 'show', service])).answer as { safe_mode: boolean };
  if (shown.safe_mode) await holdfast(['service', 'clear-safe-mode', service, `--confirm=${service}`]);
  const { answer } = await holdfast(['deploys', 'list', service]);
  const open = (answer as { items: Deploy[] }).items.filter((run) => run.closed_at === null);
  for (const run of open) await holdfast(['deploys', 'show', run.id, '--follow']);
}

async function deploy({ holdfast, tell }: Stage): Promise<Deploy> {
  const { answer, message } = await holdfast(['deploy', service, '--wait']);
  const parsed = deploySchema.safeParse(answer);
  if (!parsed.success) throw new Error(`the deploy gave no result: ${message}`);
  for (const { ok, check, reason } of parsed.data.evidence) tell(`    ${ok ? '✓' : '✗'} ${check}: ${reason}`);
  tell(`    → ${String(parsed.data.result.outcome)}`);
  return parsed.data;
}

async function page(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/`);
  return (await response.text()).trim();
}

async function reportedBuild(port: number): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}/health`);
  return ((await response.json()) as { build_sha?: unknown }).build_sha;
}
