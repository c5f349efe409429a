import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import getPort from 'get-port';
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import type Dockerode from 'dockerode';
import { createDocker } from '../../../adapters/docker/connection.ts';
import { packageRoot } from '../../../infra/package-root.ts';
import { buildImage } from './build-image.ts';
import { composeOn, demandCompose, demandPackage, type Compose } from './compose.ts';
import { importBaseImages, importServers } from './machine-images.ts';

/** What infra/compose.yaml describes, of images made on this machine; the image of Holdfast is built, nothing runs yet. */
export interface ContainerStack {
  readonly image: string;
  readonly base: string;
  readonly build: { readonly build_sha: string; readonly build_time: string; readonly build_branch: string };
  readonly url: string;
  /** Of this machine, mounted in the container of Holdfast: its data folder, and one for the data of a service at /srv/notes. */
  readonly folders: { readonly home: string; readonly notes: string };
  readonly docker: Dockerode;
  readonly compose: Compose;
  /** By the names of their files. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly container: (service: string) => Promise<Dockerode.ContainerInspectInfo>;
  readonly log: (service: string) => Promise<string>;
  /** A script of the shell in the container of a service; returns what it wrote. Throws when it fails. */
  readonly run: (service: string, script: string) => Promise<string>;
  /** The same in a new container of Holdfast's image, without a network. */
  readonly runImage: (script: string) => Promise<string>;
}

/** Of infra/Dockerfile. */
const imageUser = 10_001;

/** `onceGone` is given what removes it all, images too, before any of it is made. */
export async function makeContainerStack(
  socketPath: string,
  onceGone: (remove: () => Promise<void>) => void,
): Promise<ContainerStack> {
  await demandPackage('tini', 'tini');
  const project = `holdfast-test-${randomBytes(4).toString('hex')}`;
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-containers-'));
  const secretsFolder = join(folder, 'secrets');
  execFileSync('sh', [join(packageRoot, 'infra/containers/make-secrets.sh'), secretsFolder]);
  const secrets = Object.fromEntries(
    readdirSync(secretsFolder).map((name) => [name, readFileSync(join(secretsFolder, name), 'utf8')]),
  );
  const folders = { home: join(folder, 'holdfast'), notes: join(folder, 'notes') };
  for (const path of Object.values(folders)) {
    mkdirSync(path, { mode: 0o700 });
    chownSync(path, imageUser, imageUser);
  }
  const { api: docker } = createDocker({ socketPath });
  onceGone(async () => {
    await removeProject(docker, project);
    rmSync(folder, { recursive: true, force: true });
  });
  const build = { build_sha: 'f'.repeat(40), build_time: '2026-01-02T03:04:05Z', build_branch: 'a "branch"' };
  const [image, servers, port] = [`${project}:holdfast`, `${project}:servers`, await getPort({ host: '127.0.0.1' })];
  const compose = composeOn({
    ...{ project, socketPath, over: [join(packageRoot, 'tests/support/containers/folders.yaml')] },
    env: {
      HOLDFAST_IMAGE: image,
      HOLDFAST_SECRETS: secretsFolder,
      HOLDFAST_FOLDERS: folder,
      HOLDFAST_API_PORT: String(port),
      // Nothing can be fetched into these containers.
      HOLDFAST_EMBEDDINGS: 'http://embeddings:8080/v1',
      HOLDFAST_EMBEDDINGS_MODEL: 'words',
      HOLDFAST_EMBEDDINGS_DIMENSIONS: '16',
      POSTGRES_IMAGE: servers,
      TEMPORAL_IMAGE: servers,
      TEMPORAL_TOOLS_IMAGE: servers,
      QDRANT_IMAGE: servers,
    },
  });
  const buildHoldfast = async (): Promise<string> => {
    const { base: BASE, buildBase: BUILD_BASE } = await importBaseImages(socketPath, project);
    await buildImage(socketPath, { tag: image, args: { BASE, BUILD_BASE, ...build } });
    return BASE;
  };
  const [base] = await Promise.all([buildHoldfast(), importServers(socketPath, servers), demandCompose()]);

  const containerOf = async (service: string): Promise<Dockerode.Container> => {
    const label = [`com.docker.compose.project=${project}`, `com.docker.compose.service=${service}`];
    const [found] = await docker.listContainers({ all: true, filters: { label } });
    if (found === undefined) throw new Error(`No container of ${service}`);
    return docker.getContainer(found.Id);
  };

  return {
    ...{ image, base, build, folders, docker, compose, secrets, url: `http://127.0.0.1:${port}` },
    container: async (service) => (await containerOf(service)).inspect(),
    log: async (service) => compose(['logs', '--no-color', service]),
    runImage: (script) => runImage(docker, image, script),
    run: async (service, script) => runIn(docker, await containerOf(service), script),
  };
}

async function removeProject(docker: Dockerode, project: string): Promise<void> {
  const filters = { label: [`com.docker.compose.project=${project}`] };
  for (const { Id } of await docker.listContainers({ all: true, filters }))
    await docker.getContainer(Id).remove({ force: true, v: true });
  const { Volumes } = await docker.listVolumes({ filters });
  for (const { Name } of Volumes) await docker.getVolume(Name).remove();
  for (const { Id } of await docker.listNetworks({ filters })) await docker.getNetwork(Id).remove();
  // The stages of the build first: they stand on the images.
  await docker.pruneImages({ filters: { dangling: ['true'] } });
  for (const { Id } of await docker.listImages({ filters: { reference: [project] } }))
    await docker.getImage(Id).remove({ force: true });
}

/** By the API and not by `docker-compose exec`, which needs the command `docker`. */
async function runIn(docker: Dockerode, container: Dockerode.Container, script: string): Promise<string> {
  const order = { Cmd: ['sh', '-euc', script], AttachStdout: true, AttachStderr: true };
  const exec = await container.exec(order);
  const stream = await exec.start({ abortSignal: AbortSignal.timeout(200_000) });
  const [out, error] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, out, error);
  stream.once('close', () => [out, error].forEach((each) => each.end()));
  const [said, complaint] = await Promise.all([text(out), text(error)]);
  const { ExitCode } = await exec.inspect();
  if (ExitCode !== 0) throw new Error(`${script}: exit code ${String(ExitCode)}\n${said}${complaint}`);
  return said;
}

async function runImage(docker: Dockerode, image: string, script: string): Promise<string> {
  const out = new PassThrough();
  const said = text(out);
  const options = { Entrypoint: ['sh', '-euc'], HostConfig: { NetworkMode: 'none' }, Tty: false };
  const [{ StatusCode }, container] = (await docker.run(image, [script], [out, out], options)) as [
    { StatusCode: number },
    Dockerode.Container,
  ];
  await container.remove();
  out.end();
  if (StatusCode !== 0) throw new Error(`${image}: exit code ${StatusCode}\n${await said}`);
  return said;
}
