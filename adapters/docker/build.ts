import type Dockerode from 'dockerode';
import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { PermanentFailure } from '../../domain/failures.ts';
import type { BuildOrder } from '../drivers/driver.ts';
import { schemaFactsIn, schemaFile } from '../drivers/schema-facts.ts';
import { serviceFolder } from '../files/service-folder.ts';
import { DockerUnreachable, reasonOf, type Docker } from './connection.ts';
import { provenanceEnv } from './container-options.ts';
import { finished, labelsIn, type Images, type Progress } from './images.ts';
import { label, tagOf } from './labels.ts';

export interface BuilderDeps {
  readonly docker: Docker;
  readonly images: Images;
  readonly home: string;
  /** The home's services folder: where the files of a commit are put while they are built. */
  readonly root: string;
  /** Puts the source into an empty folder. */
  readonly exportCommit: (service: string, commit: string, folder: string, signal: AbortSignal) => Promise<void>;
}

type Image = Dockerode.ImageInspectInfo;

const shownLines = 15;

/** Builds the image of a commit from its Dockerfile, or uses the one that was built before. */
export function createBuilder({ docker, images, home, root, exportCommit }: BuilderDeps) {
  async function build(order: BuildOrder): Promise<Image> {
    const { service, release, signal } = order;
    const { repo, tag } = tagOf(service, release.release_id);
    const wanted = wantedLabels(order);
    const before = await images.find(`${repo}:${tag}`);
    if (before !== null && carries(before, wanted)) return before;

    const contexts = join(serviceFolder(root, service), 'contexts');
    await rm(contexts, { recursive: true, force: true });
    const folder = join(contexts, randomUUID());
    await mkdir(folder, { recursive: true, mode: 0o700 });
    try {
      await exportCommit(service, release.release_id, folder, signal);
      await run(order, folder, { ...wanted, ...(await schemaLabels(folder)) });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    const built = await images.find(`${repo}:${tag}`);
    if (built !== null && carries(built, wanted)) return built;
    throw new Error(`The build of ${service} ended without its image ${repo}:${tag}`);
  }

  function wantedLabels({ service, spec, release }: BuildOrder): Record<string, string> {
    return {
      [label.home]: home,
      [label.service]: service,
      [label.release]: release.release_id,
      [label.dockerfile]: dockerfileOf(spec),
    };
  }

  async function run(order: BuildOrder, folder: string, labels: Record<string, string>): Promise<void> {
    const { service, spec, release, provenance, signal } = order;
    const dockerfile = dockerfileOf(spec);
    const stats = await stat(join(folder, dockerfile)).catch(() => null);
    if (stats?.isFile() !== true) {
      throw new PermanentFailure(
        'BuildFailed',
        `no Dockerfile at ${dockerfile}: add it, or change container.dockerfile`,
      );
    }
    const src = await filesIn(folder);
    await keepForDocker(folder, dockerfile, src);
    const { repo, tag } = tagOf(service, release.release_id);
    const options = {
      ...{ t: `${repo}:${tag}`, dockerfile, labels, buildargs: provenanceEnv(provenance), rm: true, forcerm: true },
      ...((await prefersBuildKit()) ? { version: '2' as const } : {}),
      abortSignal: signal,
    };
    const lines = lastLines(shownLines);
    try {
      const stream = await docker.ask(() => docker.api.buildImage({ context: folder, src }, options), 600_000);
      await heard(stream, signal, lines.add);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof DockerUnreachable) throw error;
      throw new PermanentFailure('BuildFailed', [`${service}: ${reasonOf(error)}`, ...lines.all()].join('\n'));
    }
  }

  async function heard(stream: NodeJS.ReadableStream, signal: AbortSignal, add: (text: string) => void): Promise<void> {
    try {
      await finished(docker, stream, signal, ({ stream: text = '' }: Progress) => add(text));
    } finally {
      // dockerode keeps BuildKit's session open until it hears this, which a connection that broke does not say.
      stream.emit('end');
    }
  }

  /** What `docker build` would use. */
  async function prefersBuildKit(): Promise<boolean> {
    const answer = await docker.stream('/_ping', {});
    answer.resume();
    return answer.headers['builder-version'] === '2';
  }

  return { build };
}

function dockerfileOf({ container }: BuildOrder['spec']): string {
  return container?.dockerfile ?? 'Dockerfile';
}

function carries(image: Image, wanted: Readonly<Record<string, string>>): boolean {
  const labels = labelsIn(image);
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

/** What the source says of its schema becomes part of the image, and is there when the source is not. */
async function schemaLabels(folder: string): Promise<Record<string, string>> {
  const { schema_version, schema_reads_to } = await schemaFactsIn(join(folder, schemaFile));
  return {
    ...(schema_version === null ? {} : { [label.schemaVersion]: String(schema_version) }),
    ...(schema_reads_to === null ? {} : { [label.schemaReadsTo]: String(schema_reads_to) }),
  };
}

/** One by one, because only then does dockerode leave out what .dockerignore says. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

/** Docker needs these two, whatever .dockerignore says of them. */
async function keepForDocker(folder: string, dockerfile: string, files: readonly string[]): Promise<void> {
  if (!files.includes('.dockerignore')) return;
  await appendFile(join(folder, '.dockerignore'), `\n!.dockerignore\n!${dockerfile}\n`);
}

function lastLines(count: number) {
  let text = '';
  return {
    add: (more: string) => void (text = (text + more).slice(-65_536)),
    all: () =>
      text
        // eslint-disable-next-line no-control-regex -- colours
        .replaceAll(/\u001b\[[0-9;]*m/g, '')
        .split(/[\r\n]+/)
        .filter((line) => line.trim() !== '')
        .slice(-count),
  };
}
