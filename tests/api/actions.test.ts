import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { allows, roles } from '../../domain/role.ts';
import { actions, type Action } from '../../domain/action.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;
// There are more actions to ask without a token than a minute allows.
beforeAll(async () => (api = await startApi({ limits: { failedLoginsPerMinute: 1_000 }, ownNamespace: true })));
afterAll(() => api.close());

const table = Object.entries<Action>(actions);
const example = ({ path }: Action): string =>
  path.replace('{name}', 'unknown').replace('{id}', '000000000000').replace('{stamp}', '20261122T020000Z-0000');

test('O1 every action has a path and method of its own', () => {
  const keys = table.map(([, { method, path }]) => `${method} ${path}`);
  expect(new Set(keys).size).toBe(keys.length);
});

test.each(table)('O2 %s: who is let in, by role', async (name, action) => {
  const withoutToken = await api.ask(action.method.toUpperCase(), example(action), { token: null });
  if (action.role === null) {
    // A webhook has a signature in the place of a token.
    expect(withoutToken.status).toBe(name === 'project_webhook' ? 401 : 200);
    return;
  }
  expect(withoutToken.status).toBe(401);
  for (const role of roles) {
    const { status } = await api.ask(action.method.toUpperCase(), example(action), { token: api.tokens[role] });
    expect([role, status === 403]).toEqual([role, !allows(role, action.role)]);
    expect([401, 405, 500, 503]).not.toContain(status);
  }
});

test('O1 what stands at the root stands under /v1 too', async () => {
  for (const path of ['/health', '/metrics']) {
    expect((await api.ask('GET', path)).status).toBe(200);
    expect((await api.ask('GET', `/v1${path}`)).status).toBe(200);
  }
});

interface Document {
  readonly openapi: string;
  readonly components: { readonly schemas: object };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
}
interface Described {
  readonly operationId: string;
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
}

describe('OpenAPI', () => {
  let document: Document;
  beforeAll(async () => {
    const reply = await api.ask('GET', '/v1/openapi.json', { token: null });
    expect(reply.status).toBe(200);
    document = JSON.parse(reply.text) as Document;
  });

  test('O1 the document is valid OpenAPI 3.1', async () => {
    expect(document.openapi).toBe('3.1.0');
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-openapi-'));
    try {
      writeFileSync(join(folder, 'openapi.json'), JSON.stringify(document));
      // In a process of its own: the validator is an ES module. It exits 1, which throws, when the document is not valid.
      const require = createRequire(import.meta.url);
      const validator = require.resolve('@seriousme/openapi-schema-validator/bin/validate-api-cli.js');
      expect(execFileSync(process.execPath, [validator, join(folder, 'openapi.json')], { encoding: 'utf8' })).toContain(
        '"valid": true',
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('O1 every action is an operation of its name, path and method, and there is no other', () => {
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => `${operationId} ${method} ${path}`),
    );
    expect(described.sort()).toEqual(table.map(([name, { method, path }]) => `${name} ${method} ${path}`).sort());
  });

  test('O1 every reference leads somewhere and every path parameter is described', () => {
    const text = JSON.stringify(document);
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      expect(Object.keys(document.components.schemas)).toContain(name);
    }
    for (const [path, methods] of Object.entries(document.paths)) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      for (const { parameters = [] } of Object.values(methods)) {
        const described = parameters.filter((one) => one.in === 'path').map((one) => one.name);
        expect(described).toEqual(inPath);
      }
    }
  });

  test('O1 the page and all that it loads come from here', async () => {
    const page = await api.ask('GET', '/docs', { token: null });
    expect(page.status).toBe(200);
    const files = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file ?? '');
    expect(files.length).toBeGreaterThan(2);
    for (const file of files) {
      expect(file).toMatch(/^\/docs\//);
      expect((await api.ask('GET', file, { token: null })).status).toBe(200);
    }
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
    expect((await api.ask('GET', '/health')).headers.get('content-security-policy')).toContain("default-src 'none'");
  });
});
