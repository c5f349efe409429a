import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDocker, type Docker } from '../../adapters/docker/connection.ts';
import type { ContainerLogLimits } from '../../adapters/docker/container-options.ts';
import { containerName } from '../../adapters/docker/labels.ts';
import type { Driver } from '../../adapters/drivers/driver.ts';
import { createDockerDriver } from '../../adapters/drivers/docker.ts';
import { createGitSource } from '../../adapters/git/source.ts';
import { configHash } from '../../domain/deploy/identity.ts';
import { withPort, type Instance } from '../../domain/deploy/instance.ts';
import { serviceSpecSchema, type ServiceSpec, type ServiceSpecInput } from '../../domain/service.ts';
import { onPath } from '../../infra/stack/prerequisites.js';
import { makeRepository, type TestRepository } from './git-repository.ts';
import { removeTree } from './remove-tree.ts';
import { withoutDocker } from './without-docker.ts';

/** What needs Docker is not run where the run was asked to do without it, and counts as skipped. */
export const describeDocker: jest.Describe = withoutDocker ? describe.skip : describe;

/** The Docker of this test run, started by global-setup.ts. */
export function dockerSocket(): string {
  const path = process.env['HOLDFAST_TEST_DOCKER'];
  if (path === undefined) throw new Error('HOLDFAST_TEST_DOCKER is not set: run tests through `npm test`');
  return path;
}

/** Builds images without any base image or registry: all programs are those of busybox. */
export const busyboxDockerfile = [
  'FROM scratch',
  'COPY busybox /bin/busybox',
  'RUN ["/bin/busybox", "--install", "-s", "/bin"]',
].join('\n');

/** A Holdfast's driver on a Docker, a repository to build from, and instances to start. All it makes goes with `close`. */
export interface DockerBox {
  readonly docker: Docker;
  readonly driver: Driver;
  readonly home: string;
  readonly service: string;
  readonly root: string;
  readonly repository: TestRepository;
  /** Commits a Dockerfile on top of busybox, with these lines and files, and returns the commit. */
  commit(lines: readonly string[], files?: Readonly<Record<string, string>>): string;
  spec(part?: Partial<ServiceSpecInput>): ServiceSpec;
  /** The image of a commit. */
  build(commit: string, spec?: ServiceSpec): Promise<string>;
  /** As placeInstance makes one. */
  instance(spec: ServiceSpec, release: { release_id: string; digest: string }, more?: Partial<Instance>): Instance;
  /** A container that runs this in the shell of a busybox image, started. */
  run(script: string, part?: Partial<ServiceSpecInput>, more?: Partial<Instance>): Promise<Instance>;
  containerOf(instance: Instance): string;
  close(): Promise<void>;
}

export interface DockerBoxOptions {
  readonly socketPath?: string;
  readonly log?: ContainerLogLimits;
}

export const soon = () => AbortSignal.timeout(50_000);

export async function makeDockerBox({ socketPath = dockerSocket(), log }: DockerBoxOptions = {}): Promise<DockerBox> {
  const docker = createDocker({ socketPath });
  const name = randomBytes(4).toString('hex');
  const [home, service] = [`home-${name}`, `web-${name}`];
  const root = mkdtempSync(join(tmpdir(), 'holdfast-box-'));
  const repository = makeRepository(join(root, 'repository'));
  const git = createGitSource({ root: join(root, 'services'), env: process.env });
  const more = log === undefined ? {} : { log };
  const driver = createDockerDriver({ docker, git, home, root: join(root, 'services'), ...more });
  cpSync(await busyboxPath(), join(repository.path, 'busybox'));

  function spec(part: Partial<ServiceSpecInput> = {}): ServiceSpec {
    const input = { driver: 'docker', source: { git: repository.path, ref: 'main' }, box: 'test', ...part };
    return serviceSpecSchema.parse(input) as ServiceSpec;
  }

  async function build(commit: string, of: ServiceSpec = spec()): Promise<string> {
    const release = await driver.resolve({ service, spec: of, wanted: commit, signal: soon() });
    const provenance = { build_sha: release.release_id, build_time: release.committed_at, build_branch: 'main' };
    return (await driver.build({ service, spec: of, release, provenance, signal: soon() })).digest;
  }

  function commit(lines: readonly string[], files: Readonly<Record<string, string>> = {}): string {
    return repository.commit({ Dockerfile: [busyboxDockerfile, ...lines, ''].join('\n'), ...files });
  }

  const instance: DockerBox['instance'] = (of, { release_id, digest }, part = {}) => {
    const deploy_id = `${randomBytes(4).toString('hex')}-0000-4000-8000-000000000000`;
    const { port = null } = part;
    return {
      ...{ instance: `${deploy_id}.candidate`, service, release_id, deploy_id, run_id: 'run-1', role: 'candidate' },
      ...{ spec: withPort(of, port), config_hash: configHash(of), digest, port },
      provenance: { build_sha: release_id, build_time: '2026-01-02T03:04:05.000Z', build_branch: 'main' },
      ...part,
    };
  };

  let plain: { release_id: string; digest: string } | null = null;
  async function busybox(): Promise<{ release_id: string; digest: string }> {
    if (plain !== null) return plain;
    const release_id = commit([]);
    return (plain = { release_id, digest: await build(release_id) });
  }

  return {
    ...{ docker, driver, home, service, root, repository, commit, spec, build, instance },
    async run(script, part = {}, rest = {}) {
      const release = await busybox();
      const made = instance(spec({ ...part, run: { ...part.run, argv: ['sh', '-c', script] } }), release, rest);
      await driver.start(made, soon());
      return made;
    },
    containerOf: (of) => containerName(of.service, of.instance),
    async close() {
      const ours = { label: [`holdfast.home=${home}`] };
      for (const { Id } of await docker.api.listContainers({ all: true, filters: ours })) {
        await docker.api
          .getContainer(Id)
          .remove({ force: true, v: true })
          .catch(() => undefined);
      }
      const images = await docker.api.listImages({ filters: { reference: [`holdfast/${service}`] } });
      for (const { Id } of images)
        await docker.api
          .getImage(Id)
          .remove({ force: true })
          .catch(() => undefined);
      removeTree(root);
    },
  };
}

/** Also those that have lost their tags. */
export async function removeImagesOf({ api }: Docker, { port }: { readonly port: number }): Promise<void> {
  for (const { Id, RepoTags, RepoDigests } of await api.listImages()) {
    const names = [RepoTags, RepoDigests].flatMap((list) => (list as string[] | null) ?? []);
    if (!names.some((name) => name.startsWith(`127.0.0.1:${port}/`))) continue;
    await api
      .getImage(Id)
      .remove({ force: true })
      .catch(() => undefined);
  }
}

export async function busyboxPath(): Promise<string> {
  const path = await onPath('busybox', `${process.env['PATH'] ?? ''}:/usr/bin:/bin`);
  if (path === null) throw new Error('No busybox: install the package busybox-static');
  return path;
}

/** What `docker inspect` says of an instance's container. */
export function inspected(box: DockerBox, instance: Instance) {
  return box.docker.api.getContainer(box.containerOf(instance)).inspect();
}
