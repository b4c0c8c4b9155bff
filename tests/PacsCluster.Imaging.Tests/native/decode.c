/* Decodes one codestream again and again with the library called from C, and prints the milliseconds of one decoding (the median).
   decode j2k|jls FILE TIMES */
#include <charls/charls.h>
#include <openjpeg-2.5/openjpeg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static unsigned char *data;
static size_t length, at;

static OPJ_SIZE_T on_read(void *to, OPJ_SIZE_T count, void *user)
{
    size_t left = length - at;
    (void)user;
    if (left == 0) return (OPJ_SIZE_T)-1;
    if (count > left) count = left;
    memcpy(to, data + at, count);
    at += count;
    return count;
}

static OPJ_OFF_T on_skip(OPJ_OFF_T count, void *user) { (void)user; at += count; return count; }
static OPJ_BOOL on_seek(OPJ_OFF_T to, void *user) { (void)user; at = to; return OPJ_TRUE; }

/* To 16-bit samples, as a caller needs them. */
static int j2k(unsigned short *samples)
{
    opj_dparameters_t parameters;
    opj_image_t *image = NULL;
    opj_codec_t *codec = opj_create_decompress(OPJ_CODEC_J2K);
    opj_stream_t *stream = opj_stream_create(1 << 20, OPJ_TRUE);
    int ok;
    at = 0;
    opj_set_default_decoder_parameters(&parameters);
    opj_setup_decoder(codec, &parameters);
    opj_stream_set_user_data(stream, data, NULL);
    opj_stream_set_user_data_length(stream, length);
    opj_stream_set_read_function(stream, on_read);
    opj_stream_set_skip_function(stream, on_skip);
    opj_stream_set_seek_function(stream, on_seek);
    ok = opj_read_header(stream, codec, &image) && opj_decode(codec, stream, image) && opj_end_decompress(codec, stream);
    if (ok)
    {
        size_t i, pixels = (size_t)image->comps[0].w * image->comps[0].h;
        for (i = 0; i < pixels; i++) samples[i] = (unsigned short)image->comps[0].data[i];
    }
    opj_image_destroy(image);
    opj_stream_destroy(stream);
    opj_destroy_codec(codec);
    return ok;
}

static int jls(unsigned short *samples, size_t room)
{
    charls_jpegls_decoder *decoder = charls_jpegls_decoder_create();
    size_t size = 0;
    int ok = !charls_jpegls_decoder_set_source_buffer(decoder, data, length) && !charls_jpegls_decoder_read_header(decoder)
        && !charls_jpegls_decoder_get_destination_size(decoder, 0, &size) && size <= room
        && !charls_jpegls_decoder_decode_to_buffer(decoder, samples, size, 0);
    charls_jpegls_decoder_destroy(decoder);
    return ok;
}

static int by_size(const void *a, const void *b) { double d = *(const double *)a - *(const double *)b; return d < 0 ? -1 : d > 0; }

int main(int argc, char **argv)
{
    size_t room = 64 << 20;
    unsigned short *samples = malloc(room);
    int i, times = argc > 3 ? atoi(argv[3]) : 0;
    double *taken = malloc(sizeof(double) * (times > 0 ? times : 1));
    FILE *file = argc > 3 ? fopen(argv[2], "rb") : NULL;
    if (!file || times < 1) return 2;
    data = malloc(room);
    length = fread(data, 1, room, file);
    for (i = 0; i < times; i++)
    {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        if (!(strcmp(argv[1], "j2k") ? jls(samples, room) : j2k(samples))) return 1;
        clock_gettime(CLOCK_MONOTONIC, &to);
        taken[i] = (to.tv_sec - from.tv_sec) * 1e3 + (to.tv_nsec - from.tv_nsec) / 1e6;
    }
    qsort(taken, times, sizeof(double), by_size);
    printf("%.4f\n", taken[times / 2]);
    return 0;
}
