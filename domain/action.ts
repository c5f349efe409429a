import type { Role } from './role.ts';

/** One thing a person or program can ask for. The name is the OpenAPI operationId, the MCP tool and the button. */
export interface Action {
  readonly method: 'get' | 'post' | 'put' | 'delete';
  readonly path: string;
  /** The weakest role that may; null: no token needed. */
  readonly role: Role | null;
  /** The words behind `holdfast`; null: not a command. */
  readonly command: string | null;
}

export const actions = {
  health_show: { method: 'get', path: '/health', role: null, command: 'status' },
  metrics_show: { method: 'get', path: '/metrics', role: 'viewer', command: null },
  service_register: { method: 'put', path: '/v1/services/{name}', role: 'admin', command: 'service register' },
  service_list: { method: 'get', path: '/v1/services', role: 'viewer', command: 'service list' },
  service_show: { method: 'get', path: '/v1/services/{name}', role: 'viewer', command: 'service show' },
  service_stop: { method: 'post', path: '/v1/services/{name}/stop', role: 'operator', command: 'service stop' },
  safe_mode_clear: {
    method: 'delete',
    path: '/v1/services/{name}/safe_mode',
    role: 'operator',
    command: 'service clear-safe-mode',
  },
  service_health: { method: 'get', path: '/v1/services/{name}/health', role: 'viewer', command: 'service health' },
  log_read: { method: 'get', path: '/v1/services/{name}/logs', role: 'viewer', command: 'service logs' },
  policy_show: { method: 'get', path: '/v1/services/{name}/policy', role: 'viewer', command: 'policy show' },
  policy_test: { method: 'get', path: '/v1/services/{name}/policy/test', role: 'viewer', command: 'policy test' },
  release_list: { method: 'get', path: '/v1/services/{name}/releases', role: 'viewer', command: 'release list' },
  deploy_start: { method: 'post', path: '/v1/services/{name}/deploys', role: 'operator', command: 'deploy' },
  deploy_list: { method: 'get', path: '/v1/services/{name}/deploys', role: 'viewer', command: 'deploys list' },
  deploy_show: { method: 'get', path: '/v1/deploys/{id}', role: 'viewer', command: 'deploys show' },
  deploy_override: {
    method: 'post',
    path: '/v1/deploys/{id}/override',
    role: 'operator',
    command: 'deploys override',
  },
  event_list: { method: 'get', path: '/v1/events', role: 'viewer', command: 'event list' },
  token_create: { method: 'post', path: '/v1/tokens', role: 'admin', command: 'token create' },
  token_list: { method: 'get', path: '/v1/tokens', role: 'admin', command: 'token list' },
  token_revoke: { method: 'delete', path: '/v1/tokens/{id}', role: 'admin', command: 'token revoke' },
} as const satisfies Record<string, Action>;

export type ActionName = keyof typeof actions;
