import type { Instance, Provenance } from '../../domain/deploy/instance.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import type { ReleaseFolders } from '../files/releases.ts';
import type { GitSource } from '../git/source.ts';
import type { ProcessDriver } from '../process/driver.ts';
import { inheritedEnv, type Environment } from '../process/inherited-env.ts';
import { runCommand } from '../process/run-command.ts';
import type { BuildOrder, BuiltRelease, Driver } from './driver.ts';
import { resolveInGit } from './git-release.ts';
import type { LogSource } from './log-source.ts';
import { identityOfProcess } from './process-identity.ts';
import { portObstacles, programObstacles } from './process-obstacles.ts';
import { schemaFactsIn, schemaFile } from './schema-facts.ts';

export interface ReleaseProcessDriverDeps {
  readonly git: Pick<GitSource, 'fetch' | 'resolve' | 'export'>;
  readonly folders: ReleaseFolders;
  readonly processes: ProcessDriver;
  /** What holds a service's port for it and gives way when its specification changes: its switch. */
  readonly switches?: Pick<ProcessDriver, 'owns'>;
  readonly logs: LogSource | null;
  /** The worker's environment. */
  readonly env: Environment;
}

/** Row D1, `process`: a commit becomes a release folder, and a release a program that runs in it under a keeper. */
export function createReleaseProcessDriver(deps: ReleaseProcessDriverDeps): Driver {
  const { git, folders, processes, switches, logs, env } = deps;

  async function build({ service, spec, release, provenance, signal }: BuildOrder): Promise<BuiltRelease> {
    const { release_id } = release;
    const { digest } = await folders.build({
      service,
      release_id,
      export: (folder) => git.export(service, release_id, folder, { signal }),
      steps: spec.build,
      env: provenanceEnv(provenance),
      signal,
    });
    return { digest, ...(await schemaFactsIn(folders.pathInside(service, release_id, schemaFile))) };
  }

  async function envOf({ service, provenance, spec }: Instance): Promise<Record<string, string>> {
    const HOLDFAST_DATA = await folders.dataFolder(service);
    return { ...provenanceEnv(provenance), HOLDFAST_DATA, ...spec.run.env };
  }

  return {
    resolve: (order) => resolveInGit(git, order),
    build,
    logs,

    verify: ({ service, release_id, digest }, signal) =>
      folders.verify(service, release_id, signal, digest === '' ? undefined : digest),

    removeRelease: ({ service, release_id }) => folders.remove(service, release_id),

    async obstacles(spec, service) {
      const searchPath = spec.run.env['PATH'] ?? env['PATH'] ?? '';
      const owns = async (pid: number) =>
        (await processes.owns(service, pid)) || ((await switches?.owns(service, pid)) ?? false);
      return [...(await programObstacles(spec, searchPath)), ...(await portObstacles(spec, service, owns))];
    },

    async start(instance) {
      const { service, release_id, spec } = instance;
      const { argv, cwd } = spec.run;
      if (argv === undefined) throw new PermanentFailure('RunSpecInvalid', `${service} has no run.argv`);
      return processes.start({
        ...{ service, release_id, argv, instance: instance.instance, env: await envOf(instance) },
        cwd: folders.pathInside(service, release_id, cwd),
      });
    },

    inspect: ({ service, instance }) => processes.inspect(service, instance),

    stop: ({ service, instance, spec }, signal) =>
      processes.stop(service, instance, { timeout_ms: spec.run.stop_timeout_ms, signal }),

    async alive(service) {
      return [...new Set((await processes.alive(service)).map(({ instance }) => instance))];
    },

    pruneInstances: (service, keep) => processes.prune(service, keep),

    async identity(instance) {
      const { service, release_id } = instance;
      const { pid } = await processes.inspect(service, instance.instance);
      return identityOfProcess({
        ...{ pid, instance, env: await envOf(instance) },
        bits: await folders.verify(
          service,
          release_id,
          undefined,
          instance.digest === '' ? undefined : instance.digest,
        ),
        folder: folders.pathInside(service, release_id, '.'),
      });
    },

    async runProbe({ service, instance }, argv, { timeout_ms, signal }) {
      const cwd = processes.workingFolder(service, instance) ?? '/';
      const options = { cwd, env: inheritedEnv(env), timeout_ms, signal, grace_ms: 0 };
      const { exit_code, timed_out } = await runCommand(argv, options);
      return { exit_code, timed_out };
    },
  };
}

/** Row D15: what a service needs to say of itself which build it is. */
function provenanceEnv({ build_sha, build_time, build_branch }: Provenance): Record<string, string> {
  return {
    BUILD_SHA: build_sha,
    ...(build_time === null ? {} : { BUILD_TIME: build_time }),
    ...(build_branch === null ? {} : { BUILD_BRANCH: build_branch }),
  };
}
