import { localhostOriginValidation, toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler } from '@modelcontextprotocol/server';
import { Router, type Request, type Response } from 'express';
import { bearerToken } from '../authenticate.ts';
import { readBody } from '../body.ts';
import { localsOf } from '../locals.ts';
import { createMcpServer, type McpDeps, type Visit } from '../mcp/server.ts';
import { createTools } from '../mcp/tools.ts';
import { ApiProblem } from '../problem.ts';
import { refuseMethod, type Admit } from '../route.ts';

export interface McpRouteDeps extends Omit<McpDeps, 'tools'> {
  readonly admit: Admit;
}

const paths = ['/mcp', '/v1/mcp'];

/** Streamable HTTP of MCP, 2026-07-28 and, without sessions, 2025. Only POST: nothing here is kept open. */
export function mcpRoutes({ admit, ...rest }: McpRouteDeps): Router {
  const deps = { ...rest, tools: createTools() };
  const router = Router({ caseSensitive: true });
  const originIsOurs = localhostOriginValidation();

  router.post(paths, async (request, response) => {
    // A page of somebody else, in a browser on this machine. Answered there with 403.
    if (!originIsOurs(request, response)) return;
    const caller = await admit('viewer', { request, response });
    await readBody(request, response);
    // Only the revision of March 2025 had them, and a thousand calls would count as one request.
    if (Array.isArray(request.body)) throw new ApiProblem('invalid_request', 'Send one message a request, no batch.');
    const visit = visitOf(request, response, caller);
    const onerror = (error: Error) =>
      deps.log.info({ request_id: visit.requestId, err: error }, 'not answered over MCP');
    const handler = createMcpHandler(() => createMcpServer(deps, visit), { legacy: 'stateless', onerror });
    await toNodeHandler(handler, { onerror })(request, response, request.body);
  });
  router.all(paths, refuseMethod('POST'));
  return router;
}

function visitOf(request: Request, response: Response, caller: Visit['caller']): Visit {
  const locals = localsOf(response);
  const onAction: Visit['onAction'] = (name) => (locals.action = name);
  return { caller, bearer: bearerToken(request), requestId: locals.request_id, onAction };
}
