import {
  Client,
  StreamableHTTPClientTransport,
  type CallToolResult,
  type Transport,
} from '@modelcontextprotocol/client';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInstanceStore } from '../../adapters/postgres/instances.ts';
import { neverRan, writeState } from '../../adapters/process/instance-folder.ts';
import { serviceSpecSchema } from '../../domain/service.ts';
import { smallestSpec, type TestApi } from './start-api.ts';

// Typed, unlike what they stand for.
export const anyText: unknown = expect.any(String);
export const withText = (part: string): unknown => expect.stringContaining(part);

/** Both generations of the protocol: as it is negotiated, and what it comes to. */
export const eras = [
  ['2026-07-28', { pin: '2026-07-28' }],
  ['2025-11-25', 'legacy'],
] as const;
export type Mode = (typeof eras)[number][1];

export async function connectOver(transport: Transport, mode: Mode): Promise<Client> {
  const client = new Client({ name: 'test', version: '1.0.0' }, { versionNegotiation: { mode } });
  await client.connect(transport);
  return client;
}

export function connectHttp(url: string, token: string, mode: Mode): Promise<Client> {
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  return connectOver(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit }), mode);
}

/** What a service said, as its keeper leaves it behind: an instance of this deploy that has ended. */
export async function writeLog(
  { databases, home }: TestApi,
  service: string,
  deploy: string,
  text: string,
): Promise<void> {
  const instance = `${deploy}.candidate`;
  await createInstanceStore(databases.ops).place({
    ...{ instance, service, release_id: 'a'.repeat(40), deploy_id: deploy, run_id: 'r', role: 'candidate', port: null },
    ...{ spec: { ...serviceSpecSchema.parse(smallestSpec), box: 'testbox' }, config_hash: 'c', digest: 'd' },
    provenance: { build_sha: 'a'.repeat(40), build_time: null, build_branch: null },
  });
  const folder = join(home, 'services', service, 'instances', instance);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'log.1'), text);
  writeState(folder, { ...neverRan, exited_at: new Date().toISOString() });
}

/** The text block, which says the same as what is structured. */
function textOf({ content }: CallToolResult): Record<string, unknown> {
  expect(content).toHaveLength(1);
  const [block] = content;
  if (block?.type !== 'text') throw new Error('no text block');
  return JSON.parse(block.text) as Record<string, unknown>;
}

export async function answerTo(
  client: Client,
  name: string,
  given: Record<string, unknown> = {},
): Promise<Record<string, unknown>> {
  const result = await client.callTool({ name, arguments: given });
  if (result.isError === true) throw new Error(JSON.stringify(result.content));
  const text = textOf(result);
  expect(result.structuredContent).toEqual(text);
  return text;
}

export async function refusalOf(
  client: Client,
  name: string,
  given: Record<string, unknown> = {},
): Promise<Record<string, unknown>> {
  const result = await client.callTool({ name, arguments: given });
  // Clients of 2025 would hold it against the schema of a success.
  expect([result.isError, result.structuredContent]).toEqual([true, undefined]);
  return textOf(result);
}
