const token = /\bhf_([0-9a-f]{12})_[A-Za-z0-9_-]{8,}/g;
const userinfo = /\b([a-z][a-z0-9+.-]*):\/\/([^\s/?#"'\\]+)@/gi;
const secretParameter = /([?&;](?:access_token|auth|token|api_?key|key|secret|password|sig|signature)=)[^&;\s"'#\\]+/gi;

/** Takes credentials out of every URL in a text. An ssh user without a password is an address, not a secret. */
function redactUrls(text: string): string {
  return text
    .replace(userinfo, (whole, scheme: string, user: string) =>
      /ssh$/i.test(scheme) && !user.includes(':') ? whole : `${scheme}://[redacted]@`,
    )
    .replace(secretParameter, '$1[redacted]');
}

/** For logs: also takes out the secret part of bearer tokens. The id stays, so that a token can be found and revoked. */
export function redactText(text: string): string {
  return redactUrls(text.replace(token, 'hf_$1_[redacted]'));
}

/** For `JSON.stringify`: no answer shows a URL's credentials, whatever part of it they stand in. */
export function redactingReplacer(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? redactUrls(value) : value;
}
