import { askHealth } from '../../adapters/restore/ask-api.ts';
import { apiUrl } from '../../infra/api-url.ts';

test.each([
  ['127.0.0.1', 'http://127.0.0.1:9'],
  ['0.0.0.0', 'http://127.0.0.1:9'],
  ['::', 'http://127.0.0.1:9'],
  ['::1', 'http://[::1]:9'],
])(
  'B6 an API on %s is asked at an address that can be asked, and that none answers is an answer',
  async (host, url) => {
    expect(apiUrl({ api: { host, port: 9 } }, 9)).toBe(url);
    expect(await askHealth(url, new AbortController().signal)).toBeNull();
  },
);
