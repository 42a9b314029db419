// GELU in its erf form, and its derivative. erf by formula 7.1.26 of Abramowitz and Stegun, "Handbook of Mathematical
// Functions" (1964): absolute error at most 1.5e-7.

float erfApprox(float x) {
    float a = abs(x), t = 1.0 / (1.0 + 0.3275911 * a);
    float p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    return sign(x) * (1.0 - p * exp(-a * a));
}

// The normal distribution function.
float cdf(float x) { return 0.5 * (1.0 + erfApprox(x * 0.70710678118654752)); }

float gelu(float x) { return x * cdf(x); }

float geluDerivative(float x) { return cdf(x) + x * 0.39894228040143268 * exp(-0.5 * x * x); }
