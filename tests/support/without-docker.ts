/** `npm test -- --without docker`: for machines that cannot have one. */
export const withoutDocker = (process.env['HOLDFAST_TEST_WITHOUT'] ?? '').split(',').includes('docker');
