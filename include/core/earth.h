/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_EARTH_H
#define SLUICE_CORE_EARTH_H

#include "core/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Two capital letters, the first one in the high byte; 0: none. */
typedef uint16_t earth_code;

#define EARTH_CODE(a, b) ((earth_code)((a) << 8 | (b)))

/* Any two capital letters. Return: 0: it is not two. */
earth_code earth_code_parse(struct slice text);

/* Room for a code and its NUL. */
#define EARTH_CODE_SIZE 3

/* "" for none. Return: @ret. */
const char *earth_code_format(earth_code code, char ret[EARTH_CODE_SIZE]);

/* Assigned in ISO 3166-1 (alpha-2), and XK, which databases use for Kosovo. */
bool earth_is_country(earth_code code);

/* AF, AN, AS, EU, NA, OC or SA. */
bool earth_is_continent(earth_code code);

struct earth_point {
	double latitude, longitude; /* degrees, -90..90 and -180..180 */
};

/* Where a point is from the earth's centre, a sphere of radius 1. */
struct earth_direction {
	double x, y, z;
};

struct earth_direction earth_direction_of(const struct earth_point *point);

/* Grows with the distance along the great circle, and costs no trigonometry: of several places the
 * nearest is the one with the least. Return: 0..4, the square of the straight line's length. */
double earth_chord_squared(const struct earth_direction *a, const struct earth_direction *b);

#endif
