import { join } from 'node:path';
import type { DriverName } from '../domain/deploy/words.ts';
import { createDocker } from './docker/connection.ts';
import { createCommandDriver } from './drivers/command.ts';
import { createDockerDriver } from './drivers/docker.ts';
import type { Driver } from './drivers/driver.ts';
import { createReleaseProcessDriver } from './drivers/process.ts';
import { createReleaseFolders } from './files/releases.ts';
import { createGitSource } from './git/source.ts';
import { createServiceLog, type ServiceLog } from './logs/service-log.ts';
import type { InstanceStore } from './postgres/instances.ts';
import { createProcessDriver } from './process/driver.ts';
import type { Environment } from './process/inherited-env.ts';
import { createProcessLogs } from './process/log-reader.ts';
import { createOperatorCommands } from './process/operator-command.ts';
import { createReleaseSources, type ReleaseSources } from './release-sources/release-sources.ts';
import { createCaddySwitch } from './switch/caddy.ts';
import { createForwarderSwitch } from './switch/forwarder-switch.ts';
import { createTrafficSwitch } from './switch/choose.ts';
import type { TrafficSwitch } from './switch/switch.ts';

export interface BoxOptions {
  /** The data folder of this box. */
  readonly home: string;
  /** The compiled programs that outlive the worker. */
  readonly keeperPath: string;
  readonly forwarderPath: string;
  /** Of Docker, as in DOCKER_HOST. */
  readonly dockerHost: string;
  readonly env: Environment;
  readonly instances: InstanceStore;
}

/** Everything that runs on one box, and how it is reached. */
export interface Box {
  readonly drivers: Readonly<Record<DriverName, Driver>>;
  readonly traffic: TrafficSwitch;
  readonly sources: ReleaseSources;
  readonly log: ServiceLog;
}

/** Nothing is started or asked here: a Docker that is not there is missed only by who needs it. */
export function createBox({ home, keeperPath, forwarderPath, dockerHost, env, instances }: BoxOptions): Box {
  const services = join(home, 'services');
  const git = createGitSource({ root: services, env });
  const keepers = (root: string) => createProcessDriver({ root, keeperPath, env });
  const commandsRoot = join(home, 'commands');
  const switches = join(home, 'switches');
  const commands = createOperatorCommands({ root: commandsRoot, env });
  const processLogs = createProcessLogs({ root: services });
  const commandLogs = createProcessLogs({ root: commandsRoot });

  const drivers = {
    process: createReleaseProcessDriver({
      ...{ git, env, logs: processLogs, processes: keepers(services), switches: keepers(switches) },
      folders: createReleaseFolders({ root: services, env }),
    }),
    docker: createDockerDriver({ git, home, root: services, docker: createDocker({ host: dockerHost }) }),
    command: createCommandDriver({ git, env, commands, logs: commandLogs, processes: keepers(commandsRoot) }),
  };
  const log = createServiceLog({
    instances,
    sourceOf: (driver) => drivers[driver as DriverName].logs,
    // A keeper may still be writing down what its program said last.
    isRunning: async (instance) => {
      if (instance.spec.driver === 'process') return processLogs.isRunning(instance);
      if (instance.spec.driver === 'command') return commandLogs.isRunning(instance);
      return (await drivers.docker.inspect(instance)).running;
    },
  });
  return {
    drivers,
    log,
    traffic: createTrafficSwitch({
      forwarder: createForwarderSwitch({ root: switches, processes: keepers(switches), forwarderPath }),
      caddy: createCaddySwitch(),
    }),
    sources: createReleaseSources({
      ...{ git, commands },
      tail: async (service, limit) => (await log.read(service, null, limit)).logs,
    }),
  };
}
