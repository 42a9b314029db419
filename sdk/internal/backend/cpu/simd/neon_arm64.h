// Vector instructions that Go's assembler lacks, as words. Operands are register numbers in Go's order: sources first,
// the destination last. words_test.go assembles the text of the comments and compares.

#define FADD(m, n, d) WORD $(0x4E20D400 | (m)<<16 | (n)<<5 | (d)) // fadd v{d}.4s, v{n}.4s, v{m}.4s
#define FSUB(m, n, d) WORD $(0x4EA0D400 | (m)<<16 | (n)<<5 | (d)) // fsub v{d}.4s, v{n}.4s, v{m}.4s
#define FMUL(m, n, d) WORD $(0x6E20DC00 | (m)<<16 | (n)<<5 | (d)) // fmul v{d}.4s, v{n}.4s, v{m}.4s
#define FDIV(m, n, d) WORD $(0x6E20FC00 | (m)<<16 | (n)<<5 | (d)) // fdiv v{d}.4s, v{n}.4s, v{m}.4s
#define FMAX(m, n, d) WORD $(0x4E20F400 | (m)<<16 | (n)<<5 | (d)) // fmax v{d}.4s, v{n}.4s, v{m}.4s
#define FADDP(m, n, d) WORD $(0x6E20D400 | (m)<<16 | (n)<<5 | (d)) // faddp v{d}.4s, v{n}.4s, v{m}.4s
#define FMLA(m, n, d) WORD $(0x4E20CC00 | (m)<<16 | (n)<<5 | (d)) // fmla v{d}.4s, v{n}.4s, v{m}.4s
#define FMLA0(m, n, d) WORD $(0x4F801000 | (m)<<16 | (n)<<5 | (d)) // fmla v{d}.4s, v{n}.4s, v{m}.s[0]
#define FMAXV(n, d) WORD $(0x6E30F800 | (n)<<5 | (d)) // fmaxv s{d}, v{n}.4s
#define FABS(n, d) WORD $(0x4EA0F800 | (n)<<5 | (d)) // fabs v{d}.4s, v{n}.4s
#define FNEG(n, d) WORD $(0x6EA0F800 | (n)<<5 | (d)) // fneg v{d}.4s, v{n}.4s
#define FRINTN(n, d) WORD $(0x4E218800 | (n)<<5 | (d)) // frintn v{d}.4s, v{n}.4s
#define FCVTNS(n, d) WORD $(0x4E21A800 | (n)<<5 | (d)) // fcvtns v{d}.4s, v{n}.4s
#define FCVTL(n, d) WORD $(0x0E217800 | (n)<<5 | (d)) // fcvtl v{d}.4s, v{n}.4h
#define FCVTL2(n, d) WORD $(0x4E217800 | (n)<<5 | (d)) // fcvtl2 v{d}.4s, v{n}.8h
#define SCVTF(n, d) WORD $(0x4E21D800 | (n)<<5 | (d)) // scvtf v{d}.4s, v{n}.4s
#define SSHR24(n, d) WORD $(0x4F280400 | (n)<<5 | (d)) // sshr v{d}.4s, v{n}.4s, #24
#define SSHR31(n, d) WORD $(0x4F210400 | (n)<<5 | (d)) // sshr v{d}.4s, v{n}.4s, #31
#define FIRST(d) WORD $(0x1E204000 | (d)<<5 | (d)) // fmov s{d}, s{d}
#define SPREAD(d) WORD $(0x4E040400 | (d)<<5 | (d)) // dup v{d}.4s, v{d}.s[0]
#define SMULL(m, n, d) WORD $(0x0E20C000 | (m)<<16 | (n)<<5 | (d)) // smull v{d}.8h, v{n}.8b, v{m}.8b
#define SMULL2(m, n, d) WORD $(0x4E20C000 | (m)<<16 | (n)<<5 | (d)) // smull2 v{d}.8h, v{n}.16b, v{m}.16b
#define SMLAL(m, n, d) WORD $(0x0E208000 | (m)<<16 | (n)<<5 | (d)) // smlal v{d}.8h, v{n}.8b, v{m}.8b
#define SMLAL2(m, n, d) WORD $(0x4E208000 | (m)<<16 | (n)<<5 | (d)) // smlal2 v{d}.8h, v{n}.16b, v{m}.16b
#define SADDLP(n, d) WORD $(0x4E202800 | (n)<<5 | (d)) // saddlp v{d}.8h, v{n}.16b
#define SADALP(n, d) WORD $(0x4E606800 | (n)<<5 | (d)) // sadalp v{d}.4s, v{n}.8h
#define SDOT0(m, n, d) WORD $(0x4F80E000 | (m)<<16 | (n)<<5 | (d)) // sdot v{d}.4s, v{n}.16b, v{m}.4b[0]
#define SDOT1(m, n, d) WORD $(0x4FA0E000 | (m)<<16 | (n)<<5 | (d)) // sdot v{d}.4s, v{n}.16b, v{m}.4b[1]
#define SDOT2(m, n, d) WORD $(0x4F80E800 | (m)<<16 | (n)<<5 | (d)) // sdot v{d}.4s, v{n}.16b, v{m}.4b[2]
#define SDOT3(m, n, d) WORD $(0x4FA0E800 | (m)<<16 | (n)<<5 | (d)) // sdot v{d}.4s, v{n}.16b, v{m}.4b[3]
#define SMMLA(m, n, d) WORD $(0x4E80A400 | (m)<<16 | (n)<<5 | (d)) // smmla v{d}.4s, v{n}.16b, v{m}.16b
#define ADDV(n, d) WORD $(0x4EB1B800 | (n)<<5 | (d)) // addv s{d}, v{n}.4s
#define ADDP(m, n, d) WORD $(0x4EA0BC00 | (m)<<16 | (n)<<5 | (d)) // addp v{d}.4s, v{n}.4s, v{m}.4s
#define TRN1D(m, n, d) WORD $(0x4EC02800 | (m)<<16 | (n)<<5 | (d)) // trn1 v{d}.2d, v{n}.2d, v{m}.2d
#define TRN2D(m, n, d) WORD $(0x4EC06800 | (m)<<16 | (n)<<5 | (d)) // trn2 v{d}.2d, v{n}.2d, v{m}.2d
