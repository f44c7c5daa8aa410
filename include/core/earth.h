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

/* Along the great circle, on a sphere of 6371.0088 km. Source: Sinnott 1984 (haversine). */
double earth_distance_km(const struct earth_point *a, const struct earth_point *b);

#endif
