import { Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { once } from 'node:events';
import { connect as connectTcp, type AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { readFileSync } from 'node:fs';
import { connectionOptions, type TemporalServer } from '../../../adapters/temporal/connect.ts';
import { createAuthority, type Authority } from '../../support/certificates.ts';
import { createFolder } from '../../support/own-home.ts';
import { servers } from '../../support/servers.ts';

const folder = createFolder();
let ours: Authority;
let tls: NonNullable<TemporalServer['tls']>;
let gate: Server;
let address: string;

/** The real Temporal, behind a gate that lets in only who shows a certificate of our authority. */
beforeAll(async () => {
  ours = createAuthority(folder.path);
  const { cert, key } = ours.issue('temporal.test');
  const [host = '', port] = servers().temporalAddress.split(':');
  const ca = readFileSync(ours.caPath);
  gate = createServer({ cert, key, ca, requestCert: true, ALPNProtocols: ['h2'] }, (socket) => {
    const behind = connectTcp(Number(port), host);
    for (const [one, other] of [
      [socket, behind],
      [behind, socket],
    ] as const)
      one.pipe(other).on('error', () => one.destroy());
  }).listen(0, '127.0.0.1');
  await once(gate, 'listening');
  address = `127.0.0.1:${(gate.address() as AddressInfo).port}`;
  const { certPath, keyPath } = ours.issue('holdfast');
  tls = { certPath, keyPath, caPath: ours.caPath, serverName: 'temporal.test' };
});

afterAll(() => {
  gate.close();
  folder.remove();
});

async function client(server: TemporalServer): Promise<string> {
  const connection = await Connection.connect({ ...connectionOptions(server), connectTimeout: 2_000 });
  try {
    return (await connection.workflowService.getSystemInfo({})).serverVersion;
  } finally {
    await connection.close();
  }
}

async function worker(server: TemporalServer): Promise<string> {
  const connection = await NativeConnection.connect(connectionOptions(server));
  try {
    return (await connection.workflowService.getSystemInfo({})).serverVersion;
  } finally {
    await connection.close();
  }
}

describe.each([
  ['the client', client],
  ['the worker', worker],
])('%s', (_, versionBy) => {
  test('is let in with its certificate, and knows the server by its own', async () => {
    expect(await versionBy({ address, tls })).toMatch(/^\d+\.\d+/);
  });

  test('is not let in without one', async () => {
    await expect(versionBy({ address, tls: { ...tls, certPath: null, keyPath: null } })).rejects.toThrow();
  });

  test('does not speak to a server that another authority vouches for, or that has another name', async () => {
    const { caPath } = createAuthority(folder.path, 'another');
    await expect(versionBy({ address, tls: { ...tls, caPath } })).rejects.toThrow();
    await expect(versionBy({ address, tls: { ...tls, serverName: 'other.test' } })).rejects.toThrow();
  });
});
