import { Readable } from 'node:stream';
import { freeBytes } from '../../adapters/files/disk.ts';
import type { Outbox } from '../../adapters/postgres/outbox.ts';
import type { ProjectStore } from '../../adapters/postgres/projects.ts';
import type { StoredUpload, UploadStore } from '../../adapters/postgres/uploads.ts';
import type { ContentStore } from '../../adapters/staging/content-store.ts';
import { createReceiveUpload, UploadRefused } from '../../adapters/staging/receive-upload.ts';
import { actions } from '../../domain/action.ts';
import { isPermanentFailure } from '../../domain/failures.ts';
import type { UploadSource } from '../../domain/project/source.ts';
import type { SourceStatus } from '../../domain/source/status.ts';
import type { UploadedFile } from '../../domain/source/upload.ts';
import { page, readCursor } from '../page.ts';
import type { Http } from '../perform.ts';
import { ApiProblem, unavailable } from '../problem.ts';
import type { Route } from '../route.ts';
import { z } from 'zod';
import { knownProject } from './project.ts';

export interface SourceRouteDeps {
  readonly projects: ProjectStore;
  readonly uploads: UploadStore;
  readonly contents: ContentStore;
  readonly outbox: Outbox;
  readonly sourceStatus: (
    project: string,
    registered: readonly { readonly name: string; readonly kind: string }[],
  ) => Promise<SourceStatus[]>;
  /** Uploads are kept on this machine, so only its projects can take them here. */
  readonly box: string;
}

export function sourceRoutes(route: Route, deps: SourceRouteDeps): void {
  const { projects, uploads, outbox, box } = deps;
  const receive = createReceiveUpload({ ...deps, freeBytes });

  route('source_status', async ({ params }) => {
    const { project, resolved_by, spec } = await knownProject(projects, params.id);
    const items = await deps.sourceStatus(project, spec.sources);
    return { status: 200, body: { project, resolved_by, items, next_cursor: null } };
  });

  route('source_upload', async ({ params, query, caller, http }) => {
    const { project, resolved_by, spec } = await uploadSource(deps, params);
    const body = bodyOf(http);
    const wish = { project, spec, actor: caller.actor, path: query.path, unpack: query.unpack };
    const received = await receive(wish, body).catch(refuse);
    await outbox.carry();
    return { status: 201, body: { project, resolved_by, source: spec.name, ...received } };
  });

  route('source_files', async ({ params, query: { limit, cursor } }) => {
    const { project, spec } = await uploadSource({ projects, box }, params);
    const after = readCursor('source_files', cursor, z.string());
    const found = await uploads.list(project, spec.name, {
      limit: limit + 1,
      ...(after === undefined ? {} : { after }),
    });
    return { status: 200, body: page('source_files', found, limit, ({ path }) => path, showFile) };
  });

  route('source_file_remove', async ({ params, query: { path }, caller }) => {
    const { project, spec } = await uploadSource({ projects, box }, params);
    if (!(await uploads.remove(project, spec.name, path, caller.actor))) {
      const next = `holdfast ${actions.source_files.command} ${project} ${spec.name}`;
      throw new ApiProblem('not_found', `${spec.name} of ${project} holds no file ${path}.`, { next });
    }
    await outbox.carry();
    return { status: 204 };
  });
}

/** The source that a path names, which must be one of kind upload, and of this box. */
async function uploadSource(
  { projects, box }: Pick<SourceRouteDeps, 'projects' | 'box'>,
  { id, source }: { readonly id: string; readonly source: string },
): Promise<{ project: string; resolved_by: 'id' | 'alias'; spec: UploadSource }> {
  const { project, resolved_by, spec } = await knownProject(projects, id);
  const found = spec.sources.find(({ name }) => name === source);
  const next = `holdfast ${actions.source_status.command} ${project}`;
  if (found === undefined) throw new ApiProblem('not_found', `${project} has no source ${source}.`, { next });
  if (found.kind !== 'upload') {
    throw new ApiProblem('conflict', `${source} is a source of kind ${found.kind}: its files are not uploaded.`, {
      next,
    });
  }
  if (spec.box !== box)
    throw unavailable(`The sources of ${project} are on the box ${spec.box}; this is the box ${box}.`);
  return { project, resolved_by, spec: found };
}

/** A refusal does not end the connection under a client that still sends: it would never read why. */
function bodyOf(http: Http | null): Readable {
  if (http === null) throw new ApiProblem('invalid_request', 'Files are uploaded over HTTP.');
  const { request, response } = http;
  response.once('finish', () => request.resume());
  return Readable.from(request.iterator({ destroyOnReturn: false }), { objectMode: false });
}

const problems = {
  too_large: 'payload_too_large',
  over_limit: 'conflict',
  not_wanted: 'invalid_request',
  archive: 'invalid_request',
} as const;

function refuse(error: unknown): never {
  if (error instanceof UploadRefused) throw new ApiProblem(problems[error.kind], error.message);
  if (isPermanentFailure(error) && error.type === 'NoRoom') throw unavailable(error.message, 300);
  throw error;
}

function showFile({ path, sha256, bytes, actor, uploaded_at }: StoredUpload): UploadedFile {
  return { path, sha256, bytes, actor, uploaded_at: uploaded_at.toISOString() };
}
