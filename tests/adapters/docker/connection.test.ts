import { createServer, type Socket } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createContainers } from '../../../adapters/docker/containers.ts';
import { createDocker, DockerUnreachable } from '../../../adapters/docker/connection.ts';
import { DriverAbsent } from '../../../adapters/drivers/driver.ts';
import { isPermanentFailure } from '../../../domain/failures.ts';

const log = { max_size: '10m', max_file: 5 };
const name = { service: 'web', instance: 'one' };
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-connection-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function listening(handle: (socket: Socket) => void): Promise<{ close(): void; socketPath: string }> {
  const socketPath = join(folder, `${Math.random().toString(36).slice(2)}.sock`);
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    handle(socket);
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { close, socketPath };
}

test('a Docker that does not answer is no verdict about a container, and says where it was looked for', async () => {
  const socketPath = join(folder, 'none.sock');
  const containers = createContainers({ docker: createDocker({ socketPath }), home: 'h', log });
  const error: unknown = await containers.inspect(name).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(DockerUnreachable);
  expect(isPermanentFailure(error)).toBe(false);
  expect((error as Error).message).toContain(`Docker does not answer at ${socketPath} (ENOENT)`);
});

test('whether there never was a Docker, or it is just away, nobody can tell: that is not the same as nothing alive', async () => {
  const docker = createDocker({ socketPath: join(folder, 'none.sock') });
  await expect(createContainers({ docker, home: 'h', log }).alive('web')).rejects.toThrow(DriverAbsent);
});

test('a Docker that hangs up, and one that says nothing', async () => {
  const rude = await listening((socket) => void socket.once('data', () => socket.destroy()));
  const containers = createContainers({ docker: createDocker(rude), home: 'h', log });
  await expect(containers.alive('web')).rejects.toThrow('Docker does not answer');
  rude.close();

  const silent = await listening((socket) => void socket.on('error', () => undefined));
  const docker = createDocker(silent);
  await expect(docker.ask(() => docker.api.ping(), 300)).rejects.toThrow('no answer in');
  silent.close();
});

test('the environment does not lead to another Docker than the one that was asked for', async () => {
  const before = process.env['DOCKER_HOST'];
  process.env['DOCKER_HOST'] = 'tcp://192.0.2.1:2375';
  try {
    const server = await listening((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK'));
    });
    const { socketPath } = server;
    const docker = createDocker({ socketPath });
    expect(String(await docker.ask(() => docker.api.ping(), 5_000))).toBe('OK');
    expect(createDocker({ host: `unix://${socketPath}` }).api.modem).toMatchObject({ socketPath });
    server.close();
  } finally {
    if (before === undefined) delete process.env['DOCKER_HOST'];
    else process.env['DOCKER_HOST'] = before;
  }
});

test.each(['ssh://me@there', 'nonsense', 'https://there:2376'])(
  '%s is not an address it can use: who needs Docker is told so, nobody else',
  async (host) => {
    const docker = createDocker({ host });
    const asked = docker.ask(() => docker.api.ping());
    await expect(asked).rejects.toThrow(`${host} (Holdfast speaks to unix:///path and tcp://host:port)`);
  },
);
