/** What the bridge has to know of a JSON-RPC message; everything else goes through as it is. */
export interface Message {
  readonly jsonrpc?: string;
  readonly id?: string | number | null;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: object;
}

export interface RequestMessage extends Message {
  readonly id: string | number;
  readonly method: string;
}

/** null: not JSON, or not one object. */
export function parseMessage(text: string): Message | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

const versionKey = 'io.modelcontextprotocol/protocolVersion';
const nameField: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
};

export function isRequest(message: Message): message is RequestMessage {
  return typeof message.method === 'string' && (typeof message.id === 'string' || typeof message.id === 'number');
}

/** Streamable HTTP of 2026 repeats in headers what a message says; `agreed` is the version of a handshake of 2025. */
export function headersOf(message: Message, agreed: string | null): Record<string, string> {
  const { method = '', params = {} } = message;
  const version = (params['_meta'] as Record<string, unknown> | undefined)?.[versionKey];
  if (typeof version !== 'string') return agreed === null ? {} : { 'mcp-protocol-version': agreed };
  const name = params[nameField[method] ?? ''];
  return {
    'mcp-protocol-version': inHeader(version),
    'mcp-method': inHeader(method),
    ...(typeof name === 'string' ? { 'mcp-name': inHeader(name) } : {}),
  };
}

/** As it is where a header can hold it, else in the specification's own Base64 form. */
function inHeader(value: string): string {
  const plain = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/.test(value) && !/^=\?base64\?.*\?=$/.test(value);
  return plain ? value : `=?base64?${Buffer.from(value).toString('base64')}?=`;
}

export function errorMessage(code: number, message: string, data?: object): Message {
  return { jsonrpc: '2.0', id: null, error: { code, message, ...(data === undefined ? {} : { data }) } };
}
