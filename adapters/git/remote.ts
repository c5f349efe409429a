/** A git URL taken apart, so that a password in it is in no argv, no error and no repository's settings. */
export interface Remote {
  readonly url: string;
  /** A line of git's credential store; null when the URL has no password in it. */
  readonly credential: string | null;
  /** Removes the URL's secrets from a text. */
  readonly scrub: (text: string) => string;
}

export function parseRemote(gitUrl: string): Remote {
  if (!/^https?:\/\//i.test(gitUrl) || !URL.canParse(gitUrl)) return { url: gitUrl, credential: null, scrub };
  const url = new URL(gitUrl);
  const { username, password } = url;
  if (username === '' && password === '') return { url: gitUrl, credential: null, scrub };
  const credential = `${url.protocol}//${username}:${password}@${url.host}`;
  url.username = '';
  url.password = '';
  const secrets = [password, username].filter((part) => part !== '').flatMap((part) => [part, decode(part)]);
  const hide = (text: string) => secrets.reduce((left, secret) => left.replaceAll(secret, '***'), scrub(text));
  return { url: url.href, credential, scrub: hide };
}

/** What stands before the @ of any URL in a text. */
function scrub(text: string): string {
  return text.replace(/(\w+:\/\/)[^\s/@]+@/g, '$1***@');
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const network =
  /could not resolve|couldn't resolve|connection (refused|reset|timed out)|timed out|timeout|network is unreachable|no route to host|early EOF|RPC failed|unexpected disconnect|hung up unexpectedly|error: 5\d\d/i;

const permanent =
  /does not appear to be a git repository|not a git repository|repository.*not found|not found|does not exist|no such file or directory|authentication failed|could not read (username|password)|terminal prompts disabled|permission denied|access denied|error: 4\d\d|host key verification failed|transport '.*' not allowed|not valid: is this a git repository|unsupported|unable to find remote helper/i;

/** Will it be the same tomorrow? A network that is down will not; a repository that is not there will. */
export function isPermanent(stderr: string): boolean {
  return !network.test(stderr) && permanent.test(stderr);
}
