// GELU in its erf form, y = x cdf(x), and its derivative. cdf(x) = (1 + erf(x / sqrt 2)) / 2, erf by formula 7.1.26 of
// Abramowitz and Stegun, "Handbook of Mathematical Functions" (1964): absolute error at most 1.5e-7. Its exp(-x^2/2)
// is the normal density's, too.
void gelu(vec4 x, out vec4 y, out vec4 derivative) {
    vec4 t = 1.0 / (1.0 + 0.3275911 * 0.70710678118654752 * abs(x)), e = exp(-0.5 * x * x);
    vec4 p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    vec4 cdf = 0.5 * (1.0 + sign(x) * (1.0 - p * e));
    y = x * cdf;
    derivative = cdf + x * 0.39894228040143268 * e;
}
