import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Config } from '../infra/config.ts';
import { CliError } from './cli-error.ts';
import { exitCodes } from './exit-codes.ts';

/** Whose API is asked, and as whom. */
export interface Target {
  readonly url: string;
  readonly token: string | null;
}

const address = z.url({ protocol: /^https?$/ });
const stackSchema = z.object({ api_url: address });
const profileSchema = z.strictObject({ url: address, token: z.string().min(1) });

/**
 * HOLDFAST_URL, else what the stack of this data folder said, else config.json. A token goes only where it belongs: that of
 * this data folder to this machine, that of config.json to the address beside it.
 */
export function findTarget({ home, client }: Config): Target {
  const running = runningUrl(home);
  const profile = readProfile(home);
  const url = withoutSlash(client.url ?? running ?? profile?.url ?? 'http://127.0.0.1:8420');
  refuseCredentials(url);
  const ours = url === running || isLoopback(new URL(url).hostname);
  const admin = ours ? (readQuietly(join(home, 'secrets', 'admin-token'))?.trim() ?? null) : null;
  const own = profile?.url === url ? profile.token : null;
  return { url, token: client.token ?? admin ?? own };
}

/** They would go into messages and logs; a token is what lets in. */
function refuseCredentials(url: string): void {
  const { username, password } = new URL(url);
  if (username === '' && password === '') return;
  throw new CliError('The URL of the API holds a user name or password', exitCodes.usage, 'set HOLDFAST_TOKEN instead');
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** A file that is damaged says nothing: `up` writes it anew. */
function runningUrl(home: string): string | null {
  const said = stackSchema.safeParse(parseJson(readQuietly(join(home, 'run', 'stack.json'))));
  return said.success ? withoutSlash(said.data.api_url) : null;
}

/** A person wrote it, so what is wrong with it is said. */
function readProfile(home: string): Target | null {
  const path = join(home, 'config.json');
  const content = readQuietly(path);
  if (content === null) return null;
  const profile = profileSchema.safeParse(parseJson(content));
  if (profile.success) return { ...profile.data, url: withoutSlash(profile.data.url) };
  const message = `${path} is not {"url": "http://...", "token": "hf_..."}`;
  throw new CliError(message, exitCodes.usage, 'see docs/reference/cli.md');
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}

function parseJson(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '') as unknown;
  } catch {
    return null;
  }
}

function readQuietly(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
