/**
 * What of the project a new feature would clash with.
 *
 * @param {import('./payload.js').Feature} feature
 * @param {(path: string) => string | undefined} read the text of a file of the project
 * @param {string[]} folders the folders of the features that there are
 * @returns {string[]} a sentence for each clash
 */
export function conflictsOf({ name, folder, className, fields }, read, folders) {
  const choose = 'choose another name, such as pet_profile';
  if (folders.includes(folder)) {
    return [`${name}: src/features/${folder} exists; ${choose}`];
  }
  const twin = folders.find((other) => classNameOf(other) === className);
  const conflicts = twin
    ? [`${name}: src/features/${twin} has classes of the names ${className}… already; ${choose}`]
    : [];
  if (read(`test/features/${folder}.e2e-spec.ts`) !== undefined) {
    conflicts.push(`${name}: test/features/${folder}.e2e-spec.ts exists; ${choose}`);
  }
  const { paths = {}, components = {} } = JSON.parse(read('openapi.json') ?? '{}');
  if (Object.hasOwn(paths, `/${folder}`)) {
    conflicts.push(`${name}: the route /${folder} exists; ${choose}`);
  }
  const schemas = [`${className}Status`, ...(fields.length > 0 ? [`${className}Request`] : [])];
  for (const schema of schemas.filter((one) => Object.hasOwn(components.schemas ?? {}, one))) {
    conflicts.push(`${name}: a DTO of the name ${schema} exists; ${choose}`);
  }
  return conflicts;
}

/** @param {string} folder */
function classNameOf(folder) {
  return folder.replace(/(?:^|-)(.)/g, (_, letter) => letter.toUpperCase());
}
