/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/replay.c — runs a fuzz entry over every file of a folder: replay FOLDER.
 *
 * The octets are given in memory of just their size, so that AddressSanitizer sees every step
 * beyond them. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define FILE_MAX_BYTES (1U << 20)

static int replay(const char *folder, const char *file)
{
	char path[4096];
	uint8_t *whole = malloc(FILE_MAX_BYTES);
	uint8_t *exact;
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	f = fopen(path, "rb");
	if (f == NULL || whole == NULL) {
		perror(path);
		exit(2);
	}
	len = fread(whole, 1, FILE_MAX_BYTES, f);
	fclose(f);
	exact = malloc(len + (len == 0));
	memcpy(exact, whole, len);
	free(whole);
	fprintf(stderr, "%s\n", path); /* the last one printed is the one that failed */
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	return 1;
}

int main(int argc, char **argv)
{
	int count = 0;
	struct dirent *entry;
	DIR *dir;

	if (argc != 2 || (dir = opendir(argv[1])) == NULL) {
		fprintf(stderr, "usage: replay FOLDER\n");
		return 2;
	}
	while ((entry = readdir(dir)) != NULL) {
		count += entry->d_name[0] == '.' ? 0 : replay(argv[1], entry->d_name);
	}
	closedir(dir);
	printf("%d inputs\n", count);
	return count > 0 ? 0 : 1;
}
