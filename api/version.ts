import manifest from '../package.json' with { type: 'json' };

/** Version of this build; all roles of one image have the same. */
export const version: string = manifest.version;
