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
  template_list: { method: 'get', path: '/v1/projects/templates', role: 'viewer', command: 'project templates' },
  project_propose: { method: 'post', path: '/v1/projects/proposals', role: 'agent', command: 'project propose' },
  proposal_list: { method: 'get', path: '/v1/projects/proposals', role: 'viewer', command: 'proposal list' },
  proposal_show: { method: 'get', path: '/v1/projects/proposals/{id}', role: 'viewer', command: 'proposal show' },
  proposal_approve: {
    method: 'post',
    path: '/v1/projects/proposals/{id}/approve',
    role: 'operator',
    command: 'proposal approve',
  },
  proposal_reject: {
    method: 'post',
    path: '/v1/projects/proposals/{id}/reject',
    role: 'operator',
    command: 'proposal reject',
  },
  proposal_withdraw: {
    method: 'post',
    path: '/v1/projects/proposals/{id}/withdraw',
    role: 'agent',
    command: 'proposal withdraw',
  },
  project_list: { method: 'get', path: '/v1/projects', role: 'viewer', command: 'project list' },
  project_show: { method: 'get', path: '/v1/projects/{id}', role: 'viewer', command: 'project show' },
  project_refine_propose: {
    method: 'post',
    path: '/v1/projects/{id}/proposals',
    role: 'agent',
    command: 'project refine',
  },
  question_set_list: {
    method: 'get',
    path: '/v1/projects/{id}/question_sets',
    role: 'viewer',
    command: 'question-set list',
  },
  question_set_show: {
    method: 'get',
    path: '/v1/projects/{id}/question_sets/{name}',
    role: 'viewer',
    command: 'question-set show',
  },
  question_set_put: {
    method: 'put',
    path: '/v1/projects/{id}/question_sets/{name}',
    role: 'operator',
    command: 'question-set put',
  },
  export_read: { method: 'get', path: '/v1/export', role: 'operator', command: 'export' },
  import_apply: { method: 'post', path: '/v1/import', role: 'operator', command: 'import' },
  wave_start: { method: 'post', path: '/v1/projects/{id}/waves', role: 'operator', command: 'wave start' },
  wave_list: { method: 'get', path: '/v1/projects/{id}/waves', role: 'viewer', command: 'wave list' },
  wave_show: { method: 'get', path: '/v1/waves/{id}', role: 'viewer', command: 'wave show' },
  wave_items: { method: 'get', path: '/v1/waves/{id}/items', role: 'viewer', command: 'wave items' },
  wave_approve: { method: 'post', path: '/v1/waves/{id}/approve', role: 'operator', command: 'wave approve' },
  wave_pause: { method: 'post', path: '/v1/waves/{id}/pause', role: 'operator', command: 'wave pause' },
  wave_resume: { method: 'post', path: '/v1/waves/{id}/resume', role: 'operator', command: 'wave resume' },
  wave_cancel: { method: 'post', path: '/v1/waves/{id}/cancel', role: 'operator', command: 'wave cancel' },
  wave_retry: { method: 'post', path: '/v1/waves/{id}/retry', role: 'operator', command: 'wave retry' },
  wave_complete: { method: 'post', path: '/v1/waves/{id}/complete', role: 'operator', command: 'wave complete' },
  project_refresh: { method: 'post', path: '/v1/projects/{id}/refresh', role: 'agent', command: 'project refresh' },
  project_webhook: { method: 'post', path: '/v1/projects/{id}/webhook', role: null, command: null },
  project_webhook_secret: {
    method: 'get',
    path: '/v1/projects/{id}/webhook',
    role: 'admin',
    command: 'project webhook',
  },
  project_rollback: { method: 'post', path: '/v1/projects/{id}/rollback', role: 'operator', command: 'wave rollback' },
  project_release: { method: 'delete', path: '/v1/projects/{id}/hold', role: 'operator', command: 'wave release' },
  generation_list: {
    method: 'get',
    path: '/v1/projects/{id}/generations',
    role: 'viewer',
    command: 'project generations',
  },
  source_status: { method: 'get', path: '/v1/projects/{id}/sources', role: 'viewer', command: 'source status' },
  source_upload: {
    method: 'post',
    path: '/v1/projects/{id}/sources/{source}/files',
    role: 'operator',
    command: 'source upload',
  },
  source_files: {
    method: 'get',
    path: '/v1/projects/{id}/sources/{source}/files',
    role: 'viewer',
    command: 'source files',
  },
  source_file_remove: {
    method: 'delete',
    path: '/v1/projects/{id}/sources/{source}/files',
    role: 'operator',
    command: 'source remove',
  },
  search: { method: 'post', path: '/v1/search', role: 'viewer', command: 'search' },
  evaluation_start: { method: 'post', path: '/v1/evaluations', role: 'operator', command: 'eval' },
  evaluation_list: { method: 'get', path: '/v1/evaluations', role: 'viewer', command: 'evals list' },
  evaluation_show: { method: 'get', path: '/v1/evaluations/{id}', role: 'viewer', command: 'evals show' },
  event_list: { method: 'get', path: '/v1/events', role: 'viewer', command: 'event list' },
  token_create: { method: 'post', path: '/v1/tokens', role: 'admin', command: 'token create' },
  token_list: { method: 'get', path: '/v1/tokens', role: 'admin', command: 'token list' },
  token_revoke: { method: 'delete', path: '/v1/tokens/{id}', role: 'admin', command: 'token revoke' },
} as const satisfies Record<string, Action>;

export type ActionName = keyof typeof actions;
