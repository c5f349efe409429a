import { McpServer, ProtocolError, ProtocolErrorCode, type CallToolResult } from '@modelcontextprotocol/server';
import type { Caller } from '../../adapters/postgres/tokens.ts';
import type { ActionName } from '../../domain/action.ts';
import { allows } from '../../domain/role.ts';
import { demandRole } from '../authenticate.ts';
import type { Logger } from '../log.ts';
import type { Answer, Asked } from '../perform.ts';
import { isWithin } from '../project-scope.ts';
import type { Invoke } from '../route.ts';
import { explain, failed, resourceError } from './failure.ts';
import { redacted } from './redacted.ts';
import { listResources, readResource, templates, type Ask } from './resources.ts';
import type { McpTool } from './tools.ts';

export interface McpDeps {
  readonly invoke: Invoke;
  readonly tools: ReadonlyMap<string, McpTool>;
  readonly version: string;
  readonly log: Logger;
}

/** Who asks, in which request. */
export interface Visit {
  readonly caller: Caller;
  readonly bearer: string | null;
  readonly requestId: string;
  /** Told each action that is asked for. */
  readonly onAction: (name: ActionName) => void;
}

const instructions = [
  'Holdfast deploys services and keeps them running.',
  'deploy_start answers at once with the id of a deploy; deploy_show says how far it is, until closed_at is set.',
  'Give deploy_start an idempotency_key: then it is safe to call again when its answer was lost.',
  'A failed release is rolled back by policy (policy_show, policy_test); deploy_override speaks to a deploy that runs.',
  'log_read without a cursor gives the last lines; go on with the cursor that it answers.',
].join(' ');

/** The server of one request: it shows and allows what the role of its caller may. */
export function createMcpServer(deps: McpDeps, visit: Visit): McpServer {
  const { tools, version, log } = deps;
  const mcp = new McpServer(
    { name: 'holdfast', title: 'Holdfast', version },
    { capabilities: { tools: {}, resources: {} }, instructions },
  );

  async function invoke(name: ActionName, asked: Partial<Asked>): Promise<Answer> {
    visit.onAction(name);
    const { caller, bearer, requestId } = visit;
    return deps.invoke(name, { key: null, ...asked, caller, bearer, requestId });
  }

  const ask: Ask = async (name, parts) => (await invoke(name, parts)).body ?? {};

  async function resource<T>(uri: string, work: Promise<T>): Promise<T> {
    return work.catch((error: unknown) => {
      throw resourceError(uri, explain(error, visit.requestId, log));
    });
  }

  async function call(tool: McpTool, given: Readonly<Record<string, unknown>>): Promise<CallToolResult> {
    try {
      demandRole(visit.caller, tool.role); // before anything is said of its arguments
      const { status, body = { done: true } } = await invoke(tool.name, tool.read(given));
      return status >= 400 ? failed(body) : succeeded(body);
    } catch (error) {
      return failed(explain(error, visit.requestId, log));
    }
  }

  mcp.server.setRequestHandler('tools/list', () => ({
    tools: [...tools.values()].filter(isFor(visit.caller)).map(({ shown }) => shown),
  }));
  mcp.server.setRequestHandler('tools/call', async ({ params }) => {
    const tool = tools.get(params.name);
    if (tool === undefined)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `There is no tool ${params.name}.`);
    return call(tool, params.arguments ?? {});
  });
  mcp.server.setRequestHandler('resources/list', ({ params }) =>
    resource(
      'holdfast://services',
      listResources(ask, (name) => isWithin(name, visit.caller), params?.cursor),
    ),
  );
  mcp.server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: [...templates] }));
  mcp.server.setRequestHandler('resources/read', ({ params: { uri } }) => resource(uri, readResource(ask, uri)));
  return mcp;
}

/** The list shows a token only what it may call. */
function isFor(caller: Caller): (tool: McpTool) => boolean {
  return ({ name, role }) => allows(caller.role, role) && isWithin(name, caller);
}

/** The same twice: hosts of 2025 read the text, later ones only what is structured. */
function succeeded(body: object): CallToolResult {
  const text = redacted(body);
  const structuredContent = JSON.parse(text) as Record<string, unknown>;
  return { structuredContent, content: [{ type: 'text', text }] };
}
