/** How many colours the names of services have, see `log_colours.css`. */
const colours = 6;

/** The class of the colour of a service: the same wherever and whenever it is shown. */
export function serviceColour(service: string): string {
  let hash = 2_166_136_261;
  for (const character of service) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16_777_619);
  return `service-${((hash >>> 0) % colours) + 1}`;
}
