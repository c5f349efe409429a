import type Dockerode from 'dockerode';
import { createSocket } from 'node:dgram';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { ServiceSpec } from '../../domain/service.ts';
import { DockerUnreachable, type Docker } from './connection.ts';
import { label } from './labels.ts';

type Container = ServiceSpec['container'];
type Port = NonNullable<Container>['ports'][number];
type Published = Pick<Dockerode.Port, 'IP' | 'PublicPort' | 'Type'>;

/** What would keep a container of this service from starting, each with a way out. */
export async function obstaclesTo(docker: Docker, home: string, spec: ServiceSpec, service: string): Promise<string[]> {
  try {
    await docker.ask(() => docker.api.ping(), 10_000);
    const found = [missingNetworks(docker, spec.container), missingSources(docker, spec.container)];
    return [...(await Promise.all(found)).flat(), ...(await takenPorts(docker, home, spec.container, service))];
  } catch (error) {
    if (error instanceof DockerUnreachable) return [error.message];
    throw error;
  }
}

export async function missingNetworks({ api, ask }: Docker, container: Container): Promise<string[]> {
  if (container === undefined || container.networks.length === 0) return [];
  const known = await ask(() => api.listNetworks());
  const missing = container.networks.filter((name) => !known.some(({ Name, Id }) => Name === name || Id === name));
  return missing.map((name) => `network ${name} is not there: make it with docker network create ${name}`);
}

export async function missingSources(docker: Docker, container: Container): Promise<string[]> {
  if (container === undefined || container.binds.length === 0 || !(await sharesFiles(docker))) return [];
  const found = container.binds.map(async ({ source }) => {
    const problem = await stat(source).then(() => null, codeOf);
    return problem === 'ENOENT' || problem === 'ENOTDIR'
      ? [`${source} is not there: make it, or change container.binds`]
      : [];
  });
  return (await Promise.all(found)).flat();
}

/** The running containers that publish one of these ports. */
export async function publishersOf({ api, ask }: Docker, container: Container) {
  const running = await ask(() => api.listContainers());
  const publishes = (published: Published) => (container?.ports ?? []).some((port) => overlaps(port, published));
  return running.filter(({ Ports }) => Ports.some(publishes));
}

/** Of others' containers first, whose name helps more than that of Docker's proxy. */
async function takenPorts(docker: Docker, home: string, container: Container, service: string): Promise<string[]> {
  const fixed = (container?.ports ?? []).filter(({ host }) => host !== '{port}');
  if (fixed.length === 0) return [];
  const running = await docker.ask(() => docker.api.listContainers());
  const near = await sharesFiles(docker);
  const found: string[] = [];
  for (const port of fixed) {
    const holders = running.filter(({ Ports }) => Ports.some((published) => overlaps(port, published)));
    const own = holders.filter(({ Labels }) => Labels[label.home] === home && Labels[label.service] === service);
    const other = holders.find((holder) => !own.includes(holder));
    const where = `port ${port.host} of ${port.address}`;
    const advice = 'stop it or choose another port in container.ports';
    const name = other?.Names[0]?.replace(/^\//, '') ?? '';
    if (other !== undefined) found.push(`${where} is published by the container ${name}: ${advice}`);
    const problem = holders.length > 0 || !near ? null : await bindProblem(port);
    if (problem === 'EADDRINUSE') found.push(`${where} is used by another program: ${advice}`);
    if (problem === 'EADDRNOTAVAIL')
      found.push(`${port.address} is not an address of this box: change container.ports`);
  }
  return found;
}

function overlaps(wanted: Port, published: Published): boolean {
  if (published.PublicPort !== wanted.host || published.Type !== wanted.protocol) return false;
  const everywhere = (address: string | undefined) => address === '0.0.0.0' || address === '::';
  return published.IP === wanted.address || everywhere(published.IP) || everywhere(wanted.address);
}

/** Takes the port for a moment, as Docker would. */
function bindProblem({ address, host, protocol }: Port): Promise<string | null> {
  return new Promise((resolve) => {
    const taken = (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message);
    if (protocol === 'udp') {
      const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4' });
      socket.once('error', taken);
      socket.bind({ port: Number(host), address, exclusive: true }, () => socket.close(() => resolve(null)));
      return;
    }
    const server = createServer();
    server.once('error', taken);
    server.listen({ port: Number(host), host: address, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

/** Is this Docker on our side of the files and ports? One on another machine, or outside our container, is not. */
export async function sharesFiles({ api, ask }: Docker): Promise<boolean> {
  const { DockerRootDir } = (await ask(() => api.info())) as { DockerRootDir?: string };
  return (
    DockerRootDir !== undefined &&
    (await stat(DockerRootDir).then(
      () => true,
      (error: unknown) => codeOf(error) === 'EACCES',
    ))
  );
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
