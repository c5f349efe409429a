import { randomUUID } from 'node:crypto';
import type { ProjectStore, StoredProject } from '../../adapters/postgres/projects.ts';
import type { WaveRuns } from '../../adapters/temporal/waves.ts';
import { plainRefresh } from '../../domain/wave/run.ts';
import type { Http } from '../perform.ts';
import { ApiProblem } from '../problem.ts';
import type { Route } from '../route.ts';
import type { Runs } from '../runs.ts';
import { isSigned, webhookSecret } from '../webhook-signature.ts';
import { knownProject } from './project.ts';

export interface WebhookRouteDeps {
  readonly projects: ProjectStore;
  readonly waveRuns: WaveRuns;
  readonly runs: Runs;
  /** Of this installation; read when it is needed. */
  readonly webhookKey: () => Promise<string>;
}

/** The largest that a git host sends. */
const mostBytes = 25 * 1024 ** 2;

/** Row W9: a git host tells of a push. What it says is not looked at: the source itself is. */
export function webhookRoutes(route: Route, { projects, waveRuns, runs, webhookKey }: WebhookRouteDeps): void {
  route('project_webhook', async ({ params, http }) => {
    if (http === null) throw new ApiProblem('invalid_request', 'A webhook is called over HTTP.');
    const body = await bytesOf(http);
    const found = await projects.resolve(params.id);
    const secret = webhookSecret(await webhookKey(), found?.project ?? '');
    const signed = isSigned({ get: (name) => http.request.get(name) }, body, secret);
    const project = found === null || !signed ? null : await projects.find(found.project);
    // One answer, so that nobody learns from here which projects there are.
    if (project === null || !takesWebhooks(project))
      throw new ApiProblem(
        'unauthenticated',
        'No project takes this: its secret is another, or its registration says no webhook.',
      );
    const run = await waveRuns.refresh({
      ...{ wave_id: randomUUID(), project: project.project },
      ...{ actor: 'webhook', trigger: 'webhook', request: plainRefresh },
    });
    return { status: 202, body: { ...run, run_url: runs.urlOf(run) } };
  });

  route('project_webhook_secret', async ({ params }) => {
    const { project, resolved_by, ...found } = await knownProject(projects, params.id);
    const secret = webhookSecret(await webhookKey(), project);
    const enabled = takesWebhooks({ project, ...found });
    return { status: 200, body: { project, resolved_by, path: `/v1/projects/${project}/webhook`, secret, enabled } };
  });
}

function takesWebhooks({ spec }: StoredProject): boolean {
  return spec.policy.refresh.webhook;
}

async function bytesOf({ request }: Http): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > mostBytes) throw new ApiProblem('payload_too_large', 'A webhook says at most 25 MB.');
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
