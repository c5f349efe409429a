import { createTools } from '../../api/mcp/tools.ts';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import type { Client } from '@modelcontextprotocol/client';
import getPort from 'get-port';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import type { Role } from '../../domain/role.ts';
import { answerTo, anyText, connectOver, eras, refusalOf, withText, writeLog, type Mode } from '../api/mcp-clients.ts';
import { environmentFor } from '../support/own-home.ts';
import { startApiCli, type ApiCli } from './api-cli.ts';
import { expectFailure, linesOf } from './run-cli.ts';

/** An admin sees them all. */
const tools = createTools().size;

let bench: ApiCli;
beforeAll(async () => (bench = await startApiCli()));
afterAll(() => bench.close());

describe.each(eras)('protocol %s over stdio', (version, mode) => {
  const clients: Client[] = [];
  afterAll(() => Promise.all(clients.map((client) => client.close())));

  /** `holdfast mcp` as a host starts it. */
  async function as(role: Role): Promise<Client> {
    const env = { HOLDFAST_URL: bench.api.url, HOLDFAST_TOKEN: bench.api.tokens[role] };
    const client = await connectStdio(env, mode);
    clients.push(client);
    return client;
  }

  test('O5 the list of a role, an answer, a failure and a resource come through', async () => {
    const [viewer, operator] = [await as('viewer'), await as('operator')];
    expect(viewer.getNegotiatedProtocolVersion()).toBe(version);
    const names = async (client: Client) => (await client.listTools()).tools.map(({ name }) => name);
    expect(await names(viewer)).not.toContain('deploy_start');
    expect(await names(operator)).toEqual(expect.arrayContaining(['deploy_start', 'deploy_override', 'service_stop']));

    const name = await bench.service();
    const given = { name, idempotency_key: `stdio ${version}` };
    const { id } = await answerTo(operator, 'deploy_start', given);
    expect((await answerTo(operator, 'deploy_start', given))['id']).toBe(id);
    expect(await refusalOf(viewer, 'deploy_start', given)).toMatchObject({ type: 'urn:holdfast:problem:forbidden' });
    expect(await refusalOf(operator, 'deploy_start', { name })).toMatchObject({
      status: 409,
      next: anyText,
    });

    await writeLog(bench.api, name, String(id), 'grüße from \\u2028 the service\n');
    const uri = `holdfast://services/${name}/logs`;
    const { contents } = await viewer.readResource({ uri });
    expect(JSON.parse((contents[0] as { text: string }).text)).toMatchObject({
      logs: ['grüße from \\u2028 the service'],
    });
    await expect(viewer.readResource({ uri: 'holdfast://services/grün/logs' })).rejects.toMatchObject({ code: -32602 });
  });

  test('O5 many calls at once each get their own answer', async () => {
    const client = await as('viewer');
    const names = await Promise.all(Array.from({ length: 20 }, () => bench.service()));
    const answers = await Promise.all(names.map((name) => answerTo(client, 'service_show', { name })));
    expect(answers.map(({ name }) => name)).toEqual(names);
  });
});

async function connectStdio(env: Record<string, string>, mode: Mode): Promise<Client> {
  const parameters = {
    command: process.execPath,
    args: [bench.cli.main, 'mcp'],
    env: environmentFor(bench.home, env) as Record<string, string>,
  };
  return connectOver(new StdioClientTransport({ ...parameters, stderr: 'pipe' }), mode);
}

interface Line {
  readonly id: unknown;
  readonly result?: { readonly tools?: unknown[]; readonly protocolVersion?: string };
  readonly error?: { readonly code: number; readonly message: string; readonly data?: { readonly next?: string } };
}

/** The command with these lines as all of its input. */
async function told(lines: readonly (object | string)[], env: Record<string, string> = {}) {
  const input = lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');
  const end = await bench.cli.run(['mcp'], { input, env });
  return { ...end, heard: linesOf(end) as Line[] };
}

const list = (id: number | string) => ({ jsonrpc: '2.0', id, method: 'tools/list' });

test('O5 stdout carries the protocol only, in lines; a script may pipe messages in', async () => {
  const initialize = {
    ...{ jsonrpc: '2.0', id: 'hello', method: 'initialize' },
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'script', version: '1' } },
  };
  const { exitCode, stderr, heard } = await told([initialize, '', list(1), '{"jsonrpc":', '[]', list('two')]);
  expect([exitCode, stderr]).toEqual([0, '']);
  const byId = (id: unknown) => heard.filter((line) => line.id === id);
  expect(byId('hello')[0]?.result?.protocolVersion).toBe('2025-06-18');
  expect([byId(1)[0]?.result?.tools?.length, byId('two')[0]?.result?.tools?.length]).toEqual([tools, tools]);
  expect(byId(null).map(({ error }) => error?.code)).toEqual([-32700, -32700]);
  expect(heard).toHaveLength(5);
});

test('O5 a token that is refused is an error with advice, and without the token', async () => {
  const token = 'hf_0123456789ab_hunter2hunter2';
  const { exitCode, heard, stdout, stderr } = await told([list(1)], { HOLDFAST_TOKEN: token });
  expect([exitCode, heard[0]?.error?.code]).toEqual([0, -32000]);
  expect(heard[0]?.error?.message).toMatch(/unknown, expired or revoked.*Next: set HOLDFAST_TOKEN/);
  expect(stdout + stderr).not.toContain('hunter2');
});

test('O5 an error from in front of MCP is the answer to its message: too large', async () => {
  const { heard } = await told([{ ...list(7), params: { cursor: 'x'.repeat(300_000) } }, list(8)]);
  expect(heard.find(({ id }) => id === 7)?.error?.message).toContain('256 kB');
  expect(heard.find(({ id }) => id === 8)?.result?.tools).toHaveLength(tools);
});

test('O5 a configuration that is wrong is said before anything is read', async () => {
  const end = await bench.cli.run(['mcp'], { env: { HOLDFAST_URL: 'http://me:hunter2@127.0.0.1:9' } });
  expectFailure(end, 2, /user name or password/, /HOLDFAST_TOKEN/);
});

describe('with an API that is not as it should be', () => {
  /** The command, its lines as they come. */
  function running(url: string) {
    const env = environmentFor(bench.home, { HOLDFAST_URL: url, HOLDFAST_TOKEN: bench.api.tokens.admin });
    const child = spawn(process.execPath, [bench.cli.main, 'mcp'], { env, stdio: ['pipe', 'pipe', 'ignore'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return {
      child,
      say: (message: object) => void child.stdin.write(`${JSON.stringify(message)}\n`),
      next: async () => JSON.parse((await lines.next()).value as string) as Line,
      async end(): Promise<unknown> {
        const closed = once(child, 'close');
        child.stdin.end();
        return ((await closed) as unknown[])[0];
      },
    };
  }

  async function listening(server: Server, port = 0): Promise<string> {
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test('O5 one that is down is an error with advice; once it is up the same process goes on', async () => {
    const port = await getPort();
    const host = running(`http://127.0.0.1:${port}`);
    host.say(list(1));
    const { error } = await host.next();
    expect(error?.message).toMatch(/No Holdfast answers.*ECONNREFUSED.*npm start/);
    expect(error?.data?.next).toContain('npm start');
    const server = createServer(bench.api.app.express);
    await listening(server, port);
    host.say(list(2));
    expect(await host.next()).toMatchObject({ id: 2, result: {} });
    expect(await host.end()).toBe(0);
    server.closeAllConnections();
    server.close();
  });

  test('O5 to cancel is to close the request; nobody is answered any more', async () => {
    const server = createServer();
    const host = running(await listening(server));
    host.say({ jsonrpc: '2.0', id: 'slow', method: 'tools/call', params: { name: 'health_show', arguments: {} } });
    const [, unanswered] = (await once(server, 'request')) as [unknown, ServerResponse];
    host.say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'slow' } });
    await once(unanswered, 'close');
    server.on('request', (_request, response: ServerResponse) => {
      response.setHeader('content-type', 'text/event-stream');
      response.end('data: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n');
    });
    host.say(list(2));
    expect(await host.next()).toMatchObject({ method: 'notifications/progress' });
    expect(await host.next()).toMatchObject({ id: 2, error: { message: withText('broke off') } });
    expect(await host.end()).toBe(0);
    server.close();
  });

  test('O5 it ends with its input, also while something is under way', async () => {
    const server = createServer();
    const host = running(await listening(server));
    host.say(list(1));
    await once(server, 'request');
    expect(await host.end()).toBe(0);
    server.closeAllConnections();
    server.close();
  });
});
