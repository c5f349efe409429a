import { createBuilder } from '../docker/build.ts';
import type { Docker } from '../docker/connection.ts';
import type { ContainerLogLimits } from '../docker/container-options.ts';
import { createContainers } from '../docker/containers.ts';
import { execProbe } from '../docker/exec-probe.ts';
import { identityOfContainer } from '../docker/identity.ts';
import { createImages, schemaFactsOf } from '../docker/images.ts';
import { createContainerLogs } from '../docker/logs.ts';
import { obstaclesTo } from '../docker/obstacles.ts';
import type { GitSource } from '../git/source.ts';
import type { BuildOrder, BuiltRelease, Driver, ResolvedRelease, ResolveOrder } from './driver.ts';
import { resolveInGit } from './git-release.ts';

export interface DockerDriverDeps {
  readonly docker: Docker;
  readonly git: Pick<GitSource, 'fetch' | 'resolve' | 'export'>;
  /** Which Holdfast this is: written on everything it makes, so that several can share one Docker. */
  readonly home: string;
  /** The home's services folder. */
  readonly root: string;
  /** Of each container's two outputs together; default: 5 files of 10 MB. */
  readonly log?: ContainerLogLimits;
}

const usualLog: ContainerLogLimits = { max_size: '10m', max_file: 5 };

/** Row D1, `docker`: a release is an image, taken as it is or built from a commit's Dockerfile; an instance is a container. */
export function createDockerDriver({ docker, git, home, root, log = usualLog }: DockerDriverDeps): Driver {
  const images = createImages({ docker, home });
  const containers = createContainers({ docker, home, log });
  const builder = createBuilder({
    ...{ docker, images, home, root },
    exportCommit: (service, commit, folder, signal) => git.export(service, commit, folder, { signal }),
  });

  async function resolve(order: ResolveOrder): Promise<ResolvedRelease> {
    const { spec, wanted, signal } = order;
    if (spec.source === undefined || 'git' in spec.source) return resolveInGit(git, order);
    const image = await images.resolve(wanted ?? spec.source.image, signal);
    return { release_id: image.Id, branch: null, committed_at: null };
  }

  async function build(order: BuildOrder): Promise<BuiltRelease> {
    const { service, release, signal } = order;
    if (isCommit(order)) return builtFrom(await builder.build(order));
    const image = await images.resolve(release.release_id, signal);
    await images.pin(service, release.release_id, image.Id);
    return builtFrom(image);
  }

  return {
    resolve,
    build,
    verify: (release) => images.verify(release),
    removeRelease: (release) => images.remove(release),
    obstacles: (spec, service) => obstaclesTo(docker, home, spec, service),
    start: (instance, signal) => containers.start(instance, signal),
    inspect: (instance) => containers.inspect(instance),
    stop: (instance, signal) => containers.stop(instance, instance.spec.run.stop_timeout_ms, signal),
    alive: (service) => containers.alive(service),
    pruneInstances: (service, keep) => containers.prune(service, keep),
    identity: async (instance) => identityOfContainer(instance, await containers.find(instance), images),

    async runProbe(instance, argv, options) {
      const found = await containers.find(instance);
      if (found?.State.Running !== true) throw new Error(`The container of ${instance.instance} does not run`);
      return execProbe(docker, found.Id, argv, options);
    },

    logs: createContainerLogs({ docker, find: (instance) => containers.find(instance), log }),
  };
}

function isCommit({ spec }: BuildOrder): boolean {
  return spec.source !== undefined && 'git' in spec.source;
}

function builtFrom(image: Parameters<typeof schemaFactsOf>[0] & { readonly Id: string }): BuiltRelease {
  return { digest: image.Id, ...schemaFactsOf(image) };
}
