// SPDX-License-Identifier: Apache-2.0
/* What the daemon knows of the earth: codes of countries and continents, and distances. */
#include "core/earth.h"

#include <math.h>

static const char countries[] =
	"AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ "
	"BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM "
	"DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS "
	"GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN "
	"KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ "
	"MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM "
	"PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV "
	"SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI "
	"VN VU WF WS XK YE YT ZA ZM ZW";

static const char continents[] = "AF AN AS EU NA OC SA";

static bool is_capital(char c)
{
	return c >= 'A' && c <= 'Z';
}

earth_code earth_code_parse(struct slice text)
{
	if (text.len != 2 || !is_capital(text.ptr[0]) || !is_capital(text.ptr[1]))
		return 0;
	return EARTH_CODE(text.ptr[0], text.ptr[1]);
}

const char *earth_code_format(earth_code code, char ret[EARTH_CODE_SIZE])
{
	ret[0] = (char)(code >> 8);
	ret[1] = (char)(code & 0xff);
	ret[2] = 0;
	return ret;
}

/* Three bytes a code, in rising order. */
static bool has(const char *codes, size_t count, earth_code code)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		earth_code at = EARTH_CODE(codes[3 * middle], codes[3 * middle + 1]);

		if (at == code)
			return true;
		if (at < code)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

bool earth_is_country(earth_code code)
{
	return has(countries, sizeof(countries) / 3, code);
}

bool earth_is_continent(earth_code code)
{
	return has(continents, sizeof(continents) / 3, code);
}

static double radians(double degrees)
{
	return degrees * (M_PI / 180);
}

static double square(double x)
{
	return x * x;
}

struct earth_direction earth_direction_of(const struct earth_point *point)
{
	double latitude = radians(point->latitude), longitude = radians(point->longitude);
	double from_axis = cos(latitude);

	return (struct earth_direction){
		.x = from_axis * cos(longitude),
		.y = from_axis * sin(longitude),
		.z = sin(latitude),
	};
}

double earth_chord_squared(const struct earth_direction *a, const struct earth_direction *b)
{
	return square(a->x - b->x) + square(a->y - b->y) + square(a->z - b->z);
}
