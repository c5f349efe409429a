import type { Config } from './config.ts';

/** As somebody on this machine asks the API. */
export function apiUrl({ api: { host } }: Pick<Config, 'api'>, port: number): string {
  const asked = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${asked.includes(':') ? `[${asked}]` : asked}:${port}`;
}
