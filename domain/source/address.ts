const private4: readonly (readonly [network: string, bits: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
];

/**
 * Whether an address is anything but one of the public internet: this machine, a private network, a cloud's metadata, a
 * multicast group. Of version 6 only 2000::/3 is public, without documentation and what carries an address of version 4.
 */
export function isPrivateAddress(address: string): boolean {
  const four = bitsOf4(address);
  if (four !== null)
    return private4.some(([network, bits]) => four >>> (32 - bits) === (bitsOf4(network) ?? 0) >>> (32 - bits));
  const six = groupsOf6(address);
  if (six === null) return true;
  const [first = 0, second = 0] = six;
  // Mapped (::ffff:0:0/96) and translated (64:ff9b::/96) addresses are what they carry.
  const mapped = six.slice(0, 5).every((group) => group === 0) && six[5] === 0xffff;
  const translated = first === 0x64 && second === 0xff9b && six.slice(2, 6).every((group) => group === 0);
  if (mapped || translated) return isPrivateAddress(dotted(six[6] ?? 0, six[7] ?? 0));
  if (first === 0x2002) return isPrivateAddress(dotted(second, six[2] ?? 0));
  // 2001:0::/23 holds Teredo and other special uses; 2001:db8::/32 and 3fff::/20 are for documentation.
  const special = (first === 0x2001 && (second < 0x200 || second === 0xdb8)) || (first === 0x3fff && second < 0x1000);
  return first < 0x2000 || first > 0x3fff || special;
}

function bitsOf4(address: string): number | null {
  const parts = address.split('.').map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : NaN));
  if (parts.length !== 4 || parts.some((part) => Number.isNaN(part) || part > 255)) return null;
  return parts.reduce((bits, part) => ((bits << 8) | part) >>> 0, 0);
}

/** Eight groups; null: no address of version 6. */
function groupsOf6(address: string): number[] | null {
  const text = withoutDots(address.split('%')[0] ?? '');
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const [front = [], back = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const gap = 8 - front.length - back.length;
  if (halves.length === 1 ? gap !== 0 : gap < 1) return null;
  const groups = [...front, ...Array.from({ length: gap }, () => '0'), ...back];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  return groups.map((group) => parseInt(group, 16));
}

/** The last 32 bits may be written as an address of version 4. */
function withoutDots(address: string): string {
  const four = /(?<=:)\d+\.\d+\.\d+\.\d+$/.exec(address)?.[0];
  const bits = four === undefined ? null : bitsOf4(four);
  if (four === undefined || bits === null) return address;
  return `${address.slice(0, -four.length)}${(bits >>> 16).toString(16)}:${(bits & 0xffff).toString(16)}`;
}

function dotted(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
