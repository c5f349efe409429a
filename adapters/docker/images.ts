import type Dockerode from 'dockerode';
import type { SchemaFacts } from '../../domain/deploy/instance.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import type { ReleaseBits } from '../drivers/driver.ts';
import { DockerUnreachable, reasonOf, unlessStatus, type Docker } from './connection.ts';
import { carrying, label, tagOf } from './labels.ts';

type Image = Dockerode.ImageInspectInfo;
export type Images = ReturnType<typeof createImages>;

/** A release that is an image is named by its id, which stands for its content for ever. */
const imageId = /^(sha256:)?[0-9a-f]{12,64}$/;

export function createImages({ docker, home }: { readonly docker: Docker; readonly home: string }) {
  const { api, ask } = docker;

  const find = (name: string): Promise<Image | null> =>
    unlessStatus(
      [404],
      null,
      ask(() => api.getImage(name).inspect()),
    );

  /** What a name means now. One that came from a registry is asked for there, for its tag may have moved. */
  async function resolve(name: string, signal: AbortSignal): Promise<Image> {
    const here = await find(name);
    if (here !== null && (imageId.test(name) || name.includes('@') || !cameFromRegistry(here, name))) return here;
    if (imageId.test(name)) throw new PermanentFailure('ReleaseMissing', `The image ${name} is not on this box`);
    const problem = await pull(name, signal);
    const found = await find(name);
    if (problem === null && found !== null) return found;
    if (found === null) {
      const why = problem?.reason ?? 'it was not there afterwards';
      throw new PermanentFailure('ReleaseMissing', `image ${name} is not on this box and could not be pulled: ${why}`);
    }
    if (problem?.unknown === true) return found;
    const advice = `to deploy the one that is on this box, ask for ${found.Id}`;
    throw new PermanentFailure(
      'SourceUnreachable',
      `The registry of ${name} cannot be asked: ${problem?.reason}; ${advice}`,
    );
  }

  /** null: pulled. `unknown`: the registry answers, and has no such image for us. */
  async function pull(name: string, signal: AbortSignal): Promise<{ reason: string; unknown: boolean } | null> {
    // Without a tag Docker would pull them all.
    const tagged = /[:@][^/]+$/.test(name) ? name : `${name}:latest`;
    try {
      await finished(docker, await ask(() => api.pull(tagged, { abortSignal: signal }), 600_000), signal);
      return null;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof DockerUnreachable) throw error;
      const reason = reasonOf(error);
      return { reason, unknown: /not found|unknown|denied|does not exist|unauthorized/i.test(reason) };
    }
  }

  /** A tag of our own, so that cleaning up after other names does not take the image away. */
  async function pin(service: string, release_id: string, id: string): Promise<void> {
    await ask(() => api.getImage(id).tag(tagOf(service, release_id)));
  }

  async function verify({ release_id, digest }: ReleaseBits): Promise<'ok' | 'missing' | 'changed'> {
    const found = digest === '' ? null : await find(digest);
    if (found === null) return 'missing';
    return release_id.startsWith('sha256:') || labelsIn(found)[label.release] === release_id ? 'ok' : 'changed';
  }

  /** Takes our tag away; the image goes with its last one. One that runs stays. */
  async function remove({ service, release_id }: ReleaseBits): Promise<void> {
    const { repo, tag } = tagOf(service, release_id);
    const filters = carrying({ [label.home]: home, [label.service]: service, [label.release]: release_id });
    for (const { Id, State } of await ask(() => api.listContainers({ all: true, filters }))) {
      if (State !== 'exited' && State !== 'dead') continue;
      await unlessStatus(
        [404, 409],
        null,
        ask(() => api.getContainer(Id).remove({ v: true })),
      );
    }
    await unlessStatus(
      [404, 409],
      null,
      ask(() => api.getImage(`${repo}:${tag}`).remove()),
    );
  }

  return { find, resolve, pin, verify, remove };
}

export function labelsIn({ Config }: Image): Readonly<Record<string, string | undefined>> {
  return (Config as { readonly Labels?: Record<string, string> | null }).Labels ?? {};
}

export function schemaFactsOf(image: Image): SchemaFacts {
  const labels = labelsIn(image);
  return {
    schema_version: wholeNumber(label.schemaVersion, labels[label.schemaVersion]),
    schema_reads_to: wholeNumber(label.schemaReadsTo, labels[label.schemaReadsTo]),
  };
}

function wholeNumber(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new PermanentFailure('BuildFailed', `The label ${name} of the image is not a whole number: ${text}`);
}

function cameFromRegistry({ RepoDigests }: Image, name: string): boolean {
  const digests = (RepoDigests as string[] | null) ?? [];
  return digests.some((digest) => repositoryOf(digest) === repositoryOf(name));
}

/** Without its tag or digest, and without what may be left out. */
function repositoryOf(name: string): string {
  const bare = name.replace(/@.*$/, '').replace(/:[^/:]+$/, '');
  return bare.replace(/^docker\.io\//, '').replace(/^library\//, '');
}

export interface Progress {
  readonly stream?: string;
  readonly error?: string;
}

/** Reads Docker's account of a pull or build to its end. Throws what it says went wrong; a connection that broke; an abort. */
export async function finished(
  docker: Docker,
  stream: NodeJS.ReadableStream,
  signal: AbortSignal,
  onProgress: (progress: Progress) => void = () => undefined,
): Promise<void> {
  const complaints: string[] = [];
  const hear = (progress: Progress) => {
    if (progress.error !== undefined) complaints.push(progress.error);
    onProgress(progress);
  };
  // Knows BuildKit's account too; the types of dockerode do not have it yet.
  const { api } = docker as unknown as { api: { followProgress: Dockerode['modem']['followProgress'] } };
  const broken = await new Promise<Error | null>((resolve) => api.followProgress(stream, resolve, hear));
  signal.throwIfAborted();
  if (broken !== null) throw docker.unreachable(broken);
  const complaint = complaints.at(-1);
  if (complaint !== undefined) throw new Error(complaint);
}
