/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_HEX_H
#define SLUICE_CORE_HEX_H

/* Return: the value of a lower-case hexadecimal digit; -1: @c is none. */
static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
