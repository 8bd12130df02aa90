"""How people are built and how they walk: every constant of the walkers' bodies and motion, with its source.

Frozen: these numbers describe people, they are tested against the literature (tests/test_gaitnet_walkers_norms.py), and
they are never touched to improve a recognition score. Angles are degrees here, the unit of the sources, and become
radians where a person is drawn; lengths are metres or fractions of stature; phase 0 is the leg's own heel contact.

Sources:
    [DC]  Drillis & Contini, Body Segment Parameters, 1966; as printed in Winter 2009, fig. 4.1.
    [W91] Winter, The Biomechanics and Motor Control of Human Gait, 2nd ed., 1991 (natural cadence).
    [W09] Winter, Biomechanics and Motor Control of Human Movement, 4th ed., 2009.
    [PB]  Perry & Burnfield, Gait Analysis, 2nd ed., 2010.
    [M64] Murray, Drought & Kory, Walking patterns of normal men, JBJS 46-A, 1964; [M67] Murray 1967.
    [K90] Kadaba, Ramakrishnan & Wootten, J. Orthop. Res. 8, 1990; [K89] repeatability, J. Orthop. Res. 7, 1989.
    [G12] Gordon et al., 2012 Anthropometric Survey of US Army Personnel (ANSUR II), 2014.
    [B97] Bohannon, Comfortable and maximum walking speed, Age and Ageing 26, 1997.
    [O93] Oberg, Karsznia & Oberg, Basic gait parameters, J. Rehab. Res. Dev. 30, 1993.
    [H01] Hausdorff et al., Gait variability, J. NeuroEng. Rehab. 2, 2005, and earlier work named there.
"""

import numpy as np

# --- build ---------------------------------------------------------------------------------------------------------

STATURE = {"female": 1.62, "male": 1.76}
"""Mean stature, metres, by sex [G12]."""
STATURE_SD = 0.07
"""Standard deviation of stature within a sex, metres [G12]: 0.064 women, 0.069 men."""

# name: (fraction of stature for women, for men, coefficient of variation of that fraction).
# Fractions are [DC] where both sexes agree; hip and shoulder joint centres lie inside the bony breadths
# (0.191 and 0.259 of stature) and differ between the sexes [G12]; coefficients of variation are those of the
# nearest dimension's ratio to stature in [G12].
SEGMENTS = {
    "thigh": (0.245, 0.245, 0.028),
    "shank": (0.246, 0.246, 0.025),
    "ankle_height": (0.039, 0.039, 0.060),
    "trunk": (0.288, 0.288, 0.025),
    "neck": (0.052, 0.052, 0.080),
    "head": (0.130, 0.130, 0.040),
    "foot": (0.149, 0.152, 0.028),
    "hip_width": (0.102, 0.098, 0.055),
    "shoulder_width": (0.205, 0.220, 0.040),
    "upper_arm": (0.186, 0.186, 0.030),
    "forearm": (0.146, 0.146, 0.032),
    "hand": (0.108, 0.108, 0.035),
}
UPRIGHT = ("thigh", "shank", "ankle_height", "trunk", "neck", "head")
"""The segments that add up to stature: they are scaled together so that they do."""

HEEL_FRACTION, TOE_FRACTION = 0.19, 0.53
"""How far the centres of rounded heel and rounded toe cap lie behind and before the ankle, as parts of foot length."""

BMI = {"female": (24.0, 3.6), "male": (25.0, 3.2)}
"""Body-mass index of working-age adults, mean and s.d., kg/m2 [G12]."""

# name: (girth / 2 pi in metres for a woman of mean stature and BMI, for such a man, own coefficient of variation,
# exponent of BMI). Girths [G12]: a trunk's girth follows weight far more than a wrist's or a head's does.
GIRTHS = {
    "head": (0.0875, 0.0905, 0.025, 0.05),
    "neck": (0.052, 0.061, 0.045, 0.35),
    "shoulder": (0.052, 0.060, 0.050, 0.40),
    "chest": (0.146, 0.158, 0.040, 0.50),
    "waist": (0.126, 0.140, 0.055, 0.75),
    "pelvis": (0.158, 0.157, 0.035, 0.45),
    "elbow": (0.038, 0.043, 0.040, 0.35),
    "wrist": (0.0245, 0.0275, 0.035, 0.25),
    "hand": (0.034, 0.039, 0.040, 0.10),
    "upper_arm": (0.046, 0.052, 0.055, 0.60),
    "thigh": (0.093, 0.094, 0.045, 0.55),
    "knee": (0.058, 0.060, 0.040, 0.35),
    "calf": (0.057, 0.060, 0.045, 0.45),
    "ankle": (0.035, 0.037, 0.035, 0.25),
    "foot": (0.034, 0.037, 0.035, 0.10),
}

# --- the gait cycle -------------------------------------------------------------------------------------------------

HARMONICS = 6
"""Harmonics kept of every curve: [W91] finds 99.7 % of the power of level walking below the sixth."""


def fourier(samples: list[float | int]) -> np.ndarray:
    """Degrees at 0, 5 ... 95 % of the cycle -> radians (coefficient,): mean, then cosines, then sines."""
    spectrum = np.fft.rfft(np.radians(samples)) / len(samples)
    return np.concatenate(
        [spectrum[:1].real, 2 * spectrum[1 : HARMONICS + 1].real, -2 * spectrum[1 : HARMONICS + 1].imag]
    ).astype(np.float32)


LEG_CURVES = ("thigh", "knee", "ankle")
# Thigh to the vertical, flexion forward [PB fig. 6.3]; knee flexion and ankle dorsiflexion [W91 tables 3.32; PB].
LEG = np.stack([
    fourier([25, 23.5, 20, 15.5, 10, 4.5, -1.5, -7.5, -13, -18, -21.5, -22, -16.5, -6.5, 4.5, 14.5, 21.5, 26, 28, 27]),
    fourier([4, 9, 15, 18, 17, 14, 10.5, 7.5, 6, 7, 11, 20, 34, 49, 60, 63, 57, 43, 24, 8]),
    fourier([-1, -4.5, -1, 4.5, 8.5, 11, 12.5, 14, 15, 15.5, 13.5, 4.5, -9.5, -17, -13, -6, -2, 0, 0.5, -0.5]),
])  # fmt: skip
# Upper arm to the vertical, flexion forward, and elbow flexion, over the cycle of the leg of the same side [M67].
ARM = np.stack([
    fourier([-20, -20, -18, -15, -10.5, -6, -1, 3, 6.5, 9, 10, 9.5, 8, 5, 1, -4, -9, -13.5, -17, -19]),
    fourier([16, 16, 17, 19, 22, 25, 28, 31, 34, 36, 36.5, 35.5, 33, 30, 27, 24, 21, 19, 17, 16]),
])  # fmt: skip


def _waves(mean: float | int, *waves: tuple[int, float, float]) -> np.ndarray:
    """Mean and (harmonic, amplitude, phase of its maximum) -> (coefficient,), in the unit they are given in."""
    coefficients = np.zeros(1 + 2 * HARMONICS, np.float32)
    coefficients[0] = mean
    for harmonic, amplitude, peak in waves:
        coefficients[harmonic] = amplitude * np.cos(2 * np.pi * harmonic * peak)
        coefficients[HARMONICS + harmonic] = amplitude * np.sin(2 * np.pi * harmonic * peak)
    return coefficients


_DEGREE = float(np.pi / 180)
TRUNK_CURVES = ("obliquity", "rotation", "sway", "lean", "list", "turn")
# Over the right leg's cycle. Pelvic obliquity (right side up) and rotation (right side forward) [PB ch. 7; K90];
# sideways sway of the pelvis, metres, to the left positive [M64: 4 cm in all]; the trunk's forward lean, list to the
# left and turn (right shoulder forward), against the vertical and the line of progress [M64, M67; PB fig. 7.9].
TRUNK = np.stack([
    _waves(0, (1, 3.2 * _DEGREE, 0.19), (3, 1.4 * _DEGREE, 0.10)),
    _waves(0, (1, 4.5 * _DEGREE, 0.03), (3, 0.4 * _DEGREE, 0.1)),
    _waves(0, (1, 0.020, 0.80), (3, 0.002, 0.85)),
    _waves(3.0 * _DEGREE, (2, 1.1 * _DEGREE, 0.07)),
    _waves(0, (1, 1.5 * _DEGREE, 0.78)),
    _waves(0, (1, 3.5 * _DEGREE, 0.52)),
])  # fmt: skip
SURGE, SURGE_PEAK = 0.009, 0.06
"""The pelvis's forward ripple, metres, and the phase of its greatest speed, in double support [M64; PB]."""

NECK_LEAN, HEAD_LEAN = 22.0, 2.0
"""Degrees forward of the vertical: thorax to upper neck, and upper neck to head top, looking ahead."""
ARM_ABDUCTION, FOREARM_TURN = 9.0, 4.0
"""Degrees: the upper arm away from the side, and how much closer to the midline the forearm points."""

# --- time and distance ----------------------------------------------------------------------------------------------

SPEED, SPEED_SD = 1.30, 0.15
"""Preferred speed of adults, m/s, mean and between-subject s.d. [B97, O93]."""
WALK_RATIO, WALK_RATIO_STATURE, WALK_RATIO_CV = 0.366, 1.5, 0.07
"""Step length over cadence, m s, at the mean stature; its exponent of stature; its spread. It is nearly the same over
speeds, so cadence grows as the root of speed (Sekiya & Nagasaki, Gait & Posture 7, 1998: 0.0061 m/(steps/min))."""
MEAN_LEG = 0.491 * 1.69
"""Thigh and shank of the common body, metres: the curves of LEG belong to its step at SPEED."""
STANCE, STANCE_PER_SPEED, STANCE_SD = 0.615, -0.05, 0.010
"""Part of the cycle that a foot is on the floor, at SPEED; its change per m/s; s.d. [M64, W91]."""
STEP_WIDTH, STEP_WIDTH_SD = 0.095, 0.025
"""Metres between the lines of the ankles [M64: 8 +- 3.5 cm at the heels; O93]."""
TOE_OUT, TOE_OUT_SD = 6.8, 4.5
"""Degrees outward of the line of progress, each foot [M64: 6.8; W91]."""
CLEARANCE, CLEARANCE_SD = 0.013, 0.005
"""Least height of toe over floor in mid-swing, metres [W91: 1.27 +- 0.6 cm]."""
PASSING, PASSING_FREEDOM = 0.2286, 0.25
"""The phase at which the pelvis passes over the standing ankle, that of the curves of LEG; and how much of a person's
drawn angles' deviation from it is left to them: balance sets it, as the trunk has to stay over the feet."""
STEP_TIME_ASYMMETRY_SD, STEP_LENGTH_ASYMMETRY_SD = 0.008, 0.010
"""The left step's deviation from half of the stride, of stride time and of stride length (Sadeghi et al., Gait &
Posture 12, 2000: healthy adults' left and right differ by 2-4 %)."""

# --- spreads --------------------------------------------------------------------------------------------------------

SHAPE = np.array([0.55, 0.25, 0.12, 0.05, 0.03])
"""How a curve's deviation, of variance 1 at every phase, divides over mean and harmonics 1-4: mostly offset [K89]."""

# Between-subject s.d. of the curves at any phase, degrees (sway: metres). [W91] and [K90] give 5-6 for the hip and
# 5-6 for the knee, 4-5 for the ankle; half of the hip's is pelvic tilt, which turns about the line of the hips and
# moves none of the points, so the thigh has 3.
LEG_SD = {"thigh": 3.0, "knee": 5.0, "ankle": 4.0}
ARM_SD = {"shoulder": 3.5, "elbow": 7.0}
ARM_SWING_CV = 0.30
"""Spread of the size of the arm swing about its mean [M67: total shoulder excursion 32 +- 10 degrees]."""
TRUNK_SD = {"obliquity": 1.2, "rotation": 2.2, "sway": 0.006, "lean": 2.8, "list": 1.0, "turn": 1.8}
NECK_LEAN_SD, HEAD_LEAN_SD, ARM_ABDUCTION_SD = 5.0, 4.0, 3.0
SIDE_SHARE = 0.15
"""Part of the variance of legs and arms between subjects that is the two sides' difference [Sadeghi 2000]."""

# Within one subject, as parts of the between-subject s.d.: from session to session, from walk to walk, and from stride
# to stride. [K89]: coefficients of multiple correlation within a day 0.97-0.99 and between days 0.90-0.98 in the
# sagittal plane; [W91]: mean stride-to-stride s.d. hip 1.8, knee 2.1, ankle 1.9 degrees within a session.
SESSION_SHARE, TRIAL_SHARE, STRIDE_SHARE = 0.40, 0.25, 0.38

SESSION_SPEED_CV, TRIAL_SPEED_CV = 0.03, 0.05
SESSION_WEIGHT_CV = 0.02
STRIDE_TIME_CV = 0.018
"""Stride time of one walk [H01: 1-2.5 % in healthy adults]."""
STEP_LENGTH_WITHIN, STEP_WIDTH_WITHIN = 0.018, 0.017
"""Metres, from step to step: 2.5 % of step length; step width (Owings & Grabiner, J. Biomech. 37, 2004: 1.6-2.1 cm)."""
PATH_WITHIN = 0.02
"""Metres: the line of progress strays to the sides."""

# --- conditions -----------------------------------------------------------------------------------------------------
# name: NM, BP, HB, CL, SH. Backpack of 10-15 % of body weight: Attwells et al., Ergonomics 49, 2006 (lean + 5-7 deg,
# head forward); hand bag: the arm hangs nearly still and the trunk lists away; coat: freedom of the arms; coating shoes
# (TUM-GAID): loose, slippery plastic, so the foot is lifted more and the walk is careful.
CONDITION = {
    "speed": (1.0, 0.98, 0.98, 0.985, 0.95),
    "lean": (0.0, 5.5, 0.5, 0.5, 0.5),
    "neck": (0.0, 4.0, 0.0, 0.0, 1.5),
    "list": (0.0, 0.0, 2.0, 0.0, 0.0),
    "swing": (1.0, 0.70, 0.92, 0.87, 0.95),
    "bag_swing": (1.0, 0.70, 0.28, 0.87, 0.95),
    "bag_elbow": (0.0, 0.0, -11.0, 0.0, 0.0),
    "abduction": (0.0, 1.5, 1.0, 3.0, 0.5),
    "clearance": (0.0, 0.0, 0.0, 0.0, 0.018),
    "knee_swing": (1.0, 1.0, 1.0, 0.99, 1.08),
}
CONDITION_SPREAD = 0.20
"""People differ in how strongly a condition acts on them: s.d. of its effect, as a part of it."""
RIGHT_HANDED = 0.75
"""Part of walkers who hold a bag in the right hand."""
