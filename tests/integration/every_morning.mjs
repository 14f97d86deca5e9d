// Told the names of zones, a line each, prints how far each is ahead of UTC at 9:00 of every date
// from 2024 to 2032, in minutes, with the dates on which that changes; null for an unknown zone.

import { readFileSync } from "node:fs";

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const NINE = 540 * MINUTE;

function reckoner(timeZone) {
  const format = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" });
  return (instant) => {
    const [, sign, hours, minutes] = /GMT(?:([+-])(\d\d):(\d\d))?$/.exec(format.format(instant));
    return sign ? Number(`${sign}1`) * (60 * Number(hours) + Number(minutes)) : 0;
  };
}

function mornings(timeZone) {
  const aheadAt = reckoner(timeZone);
  const found = [];
  let ahead = 0;
  for (let day = Date.UTC(2024, 0, 1); day <= Date.UTC(2032, 11, 31); day += DAY) {
    // Only an offset that leads to an instant with that offset shows 9:00.
    const guesses = [ahead];
    while (aheadAt(day + NINE - guesses.at(-1) * MINUTE) !== guesses.at(-1)) {
      if (guesses.length > 2) throw new Error(`no 9:00 in ${timeZone} on ${new Date(day)}`);
      guesses.push(aheadAt(day + NINE - guesses.at(-1) * MINUTE));
    }
    if (!found.length || guesses.length > 1) {
      found.push([new Date(day).toISOString().slice(0, 10), guesses.at(-1)]);
    }
    ahead = guesses.at(-1);
  }
  return found;
}

function known(timeZone) {
  try {
    return Boolean(new Intl.DateTimeFormat("en-US", { timeZone }));
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

const zones = readFileSync(0, "utf8").split("\n");
const { tz, icu, node } = process.versions;
console.log(
  JSON.stringify({
    versions: { tz, icu, node },
    mornings: Object.fromEntries(zones.map((zone) => [zone, known(zone) ? mornings(zone) : null])),
  }),
);
